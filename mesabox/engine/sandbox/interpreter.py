"""The interpreter the tools inside run on: this process' own, with its standard library, wherever the host keeps it."""

import os
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_INSIDE = "/.sprite/python/bin/python3"
_LIBRARIES = "/.sprite/python/lib"
# Read by sh as a command, by Python as a string: the library's recorded place does not exist inside.
_SHARED_HEADER = f"""\
#!/bin/sh
'''exec' env LD_LIBRARY_PATH={_LIBRARIES} {_INSIDE} -IS "$0" "$@"
' '''
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A host file or folder, and its place below /.sprite."""

    source: Path
    place: str
    is_folder: bool


@cache
def parts() -> tuple[Part, ...]:
    """The binary finds its library from its own place: ``bin/python3`` looks for ``../lib/python3.N/os.py``."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    found = [
        Part(Path(os.path.realpath("/proc/self/exe")), "python/bin/python3", False),
        Part(library, f"python/{sys.platlibdir}/{version}", True),
    ]
    shared = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and shared.is_file() and not shared.is_relative_to("/usr"):
        found.append(Part(shared, f"python/lib/{shared.name}", False))
    return tuple(found)


def script_header() -> str:
    """The first lines of a tool: they start it on the interpreter beside it."""
    return _SHARED_HEADER if len(parts()) > 2 else f"#!{_INSIDE} -IS\n"


def host_header() -> str:
    """The same without a sandbox: this interpreter where it is."""
    return f"#!{sys.executable} -IS\n"


def packages() -> tuple[str, ...]:
    """Folders of installed packages within the library, which are nobody's business inside."""
    library = parts()[1]
    names = [name for name in ("site-packages", "dist-packages") if (library.source / name).is_dir()]
    return tuple(f"/.sprite/{library.place}/{name}" for name in names)
