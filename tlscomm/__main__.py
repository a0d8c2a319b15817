"""``python -m tlscomm`` is ``tlscomm``, also where scripts are not on the path."""

import sys

from tlscomm.commandline import main

if __name__ == "__main__":
    sys.exit(main())
