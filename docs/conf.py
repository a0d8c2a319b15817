import contextlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from functools import cache
from inspect import getdoc
from pathlib import Path

import twisted.internet.interfaces
from docutils import nodes
from sphinx.util.nodes import make_refnode
from zope.interface.interface import InterfaceClass

import tlscomm
from tlscomm.configuration._settings import SETTINGS
from tlscomm.failures import TLSFailure

project = "tlscomm"
author = "The tlscomm developers"
project_copyright = f"2026, {author}"
version = release = tlscomm.__version__

sys.path.append(str(Path(__file__).parent / "_ext"))
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "changelogdraft",
    "errortextpages",
    "failurepages",
    "handshakes",
    "metrictables",
    "settingreference",
    "settingtables",
    "statetables",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_theme_options = {"top_of_page_buttons": []}
html_title = f"tlscomm {version}"
html_static_path = ["_static"]
html_css_files = ["tlscomm.css"]
# A button copies what is typed: neither prompts, nor what the program answers.
copybutton_prompt_text = r"\w*\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "EOF"
# What is printed here is typed in terminals: no curly quotes, and no dash where there are two hyphens.
smartquotes = False

# In our docstrings, and so on these pages too, single backticks hold the name of something in Python.
default_role = "py:obj"
# Hundreds of them would be in the table of contents of one page, and be copied for each other page's.
toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

nitpicky = True
# The documentation builds without a network, so the names of other projects cannot become links. Ours have to.
_others = ["OpenSSL", "click", "cryptography", "rich", "service_identity", "twisted", "zope", *sys.stdlib_module_names]
nitpick_ignore_regex = [("py:.*", rf"({'|'.join(_others)})(\..*)?")]

# Sphinx asks a type for its name as a class has one, and an interface of zope has none.
for _interface in vars(twisted.internet.interfaces).values():
    if isinstance(_interface, InterfaceClass):
        _interface.__qualname__ = _interface.__name__


def letSentencesBe(app, what, *more):
    """Keep napoleon from taking the words before a colon for a type. An empty comment in front is all that it needs."""
    lines = more[-1]
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]
    if "Returns:" in (stripped := [line.strip() for line in lines]):
        after = stripped.index("Returns:") + 1
        indent = lines[after][: len(lines[after]) - len(lines[after].lstrip())]
        lines[after:after] = [f"{indent}..", ""]


def tellInherited(app, what, name, obj, *more):
    """Let a class speak of the attributes that it has from a private one, which is not on these pages."""
    lines = more[-1]
    for base in obj.__mro__[1:] if what == "class" else ():
        told = (getdoc(base) or "").splitlines() if base.__module__.startswith("tlscomm") else []
        if base.__name__.startswith("_") and "Attributes:" in told:
            lines += ["", *told[told.index("Attributes:") :]]


def drawTables(app, *more):
    """Give a table that is drawn for readers of the source the borders that it needs here."""
    lines = more[-1]
    for index, line in enumerate(lines):
        if re.fullmatch(r" +-+( +-+)+", line):
            border = line.replace("-", "=")
            end = next((i for i in range(index, len(lines)) if not lines[i].strip()), len(lines))
            lines[index] = border
            lines.insert(end, border)
            lines.insert(index - 1, border)
            return


def shortenFailures(app, what, name, obj, *more):
    """All failures are made as `TLSFailure` is, which says so once."""
    return ("", None) if what == "exception" and obj is not TLSFailure and issubclass(obj, TLSFailure) else None


def findShortName(app, env, node, contnode):
    """Resolve a name of ours that stands without its module, and let be what is not ours or is an argument's."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"]
    last = name.rpartition(".")[2] if "._" in name else name
    domain = env.get_domain("py")
    found = [o for full, o in domain.objects.items() if full.endswith(f".{last}") and not o.aliased]
    if len(found) == 1:
        return make_refnode(app.builder, node["refdoc"], found[0].docname, found[0].node_id, contnode, name)
    return contnode if "._" in name or _isElsewhere(name) or re.fullmatch(r"_?[a-z]\w*", name) else None


_optionLabels = {f"--{setting.option}": f"setting-{setting.name.lower()}" for setting in SETTINGS}


def linkCodes(app, doctree, docname):
    """Make the name of a failure, where it stands in code type, a link to what there is to know about it.

    So with the option of a setting, but only where a table has it: in a text there are too many.
    """
    labels = app.env.get_domain("std").anonlabels
    for literal in list(doctree.findall(nodes.literal)):
        label = f"failure-{literal.astext()}"
        if isinstance(literal.parent.parent, nodes.entry):
            label = _optionLabels.get(literal.astext().partition(" ")[0], label)
        target = labels.get(label)
        if target is not None and target[0] != docname and not isinstance(literal.parent, nodes.reference):
            literal.replace_self(make_refnode(app.builder, docname, *target[:2], literal.deepcopy()))


@cache
def _importedFromElsewhere():
    """Return what our modules import of others, also for annotations alone.

    Which modules are loaded depends on which pages are read anew; what stands in them does not.
    """
    importing = re.compile(r"^ *from (?!tlscomm)[\w.]+ import (\([^)]*\)|.*)", re.MULTILINE)
    names = set()
    for module in pkgutil.walk_packages(tlscomm.__path__, "tlscomm."):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
        source = Path(importlib.util.find_spec(module.name).origin).read_text(encoding="utf-8")
        names.update(name for found in importing.findall(source) for name in re.findall(r"\w+", found))
    return names


def _isElsewhere(name):
    """Whether a name that our modules use is another project's, or private, or stands for a type that has no page."""
    first = name.partition(".")[0]
    if first in _importedFromElsewhere():
        return True
    holders = [module for path, module in sys.modules.items() if path.partition(".")[0] == "tlscomm"]
    homes = [getattr(vars(module)[first], "__module__", "") for module in holders if first in vars(module)]
    return bool(homes) and not any(re.fullmatch(r"tlscomm(\.[a-z]\w*)*", home) for home in homes)


def setup(app):
    app.connect("autodoc-process-docstring", drawTables, priority=100)
    app.connect("autodoc-process-docstring", tellInherited, priority=100)
    app.connect("autodoc-process-docstring", letSentencesBe, priority=100)
    app.connect("autodoc-process-signature", shortenFailures)
    app.connect("missing-reference", findShortName)
    app.connect("doctree-resolved", linkCodes)
