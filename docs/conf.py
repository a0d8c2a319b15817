import sys

import tlscomm

project = "tlscomm"
author = "The tlscomm developers"
project_copyright = f"2026, {author}"
version = release = tlscomm.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Mutual TLS for Twisted", "page_width": "1100px"}

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

nitpicky = True
# The documentation builds without a network, so the names of other projects cannot become links. Ours have to.
_others = ["OpenSSL", "click", "cryptography", "rich", "service_identity", "twisted", "zope", *sys.stdlib_module_names]
nitpick_ignore_regex = [("py:.*", rf"({'|'.join(_others)})(\..*)?")]
