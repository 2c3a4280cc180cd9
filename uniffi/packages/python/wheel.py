#!/usr/bin/env python3
"""wheel.py GENERATED LIBRARY VERSION OUT: packs the Python package as a wheel, and prints its path.

A wheel is a zip with three small text files: writing it needs no build tool, no network and no isolated environment, and the same input
gives the same bytes. What it holds: the hand-written `__init__.py`, the generated module, the library, `py.typed`."""

import base64
import hashlib
import pathlib
import platform
import re
import subprocess
import sys
import zipfile

# What PEP 600 lets a library of a manylinux wheel need, of what ours does.
ALLOWED = re.compile(r"^(lib(c|m|dl|rt|pthread|gcc_s)\.so\.\d+|ld-linux[-\w]*\.so\.\d+)$")


def tag(library):
    """`manylinux_2_N_ARCH`, N being the newest glibc whose symbols the library needs; `linux_ARCH` if it needs anything else."""
    machine = platform.machine()
    said = subprocess.run(["objdump", "-p", str(library)], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"^\s+NEEDED\s+(\S+)", said, re.MULTILINE)
    glibc = [int(minor) for minor in re.findall(r"\bGLIBC_2\.(\d+)", said)]
    if glibc and all(map(ALLOWED.match, needed)):
        return f"manylinux_2_{max(glibc)}_{machine}"
    return f"linux_{machine}"


def main(generated, library, version, out):
    here, library = pathlib.Path(__file__).parent, pathlib.Path(library)
    name, info = f"privet-{version}-py3-none-{tag(library)}", f"privet-{version}.dist-info"
    metadata = f"""Metadata-Version: 2.1
Name: privet
Version: {version}
Summary: End-to-end encrypted home cameras: the phone's side.
License: MIT OR Apache-2.0
Requires-Python: >=3.9
"""
    wheel = f"Wheel-Version: 1.0\nGenerator: privet\nRoot-Is-Purelib: false\nTag: {name.split('-', 2)[2]}\n"
    files = {
        "privet/__init__.py": (here / "__init__.py").read_bytes(),
        "privet/_generated.py": pathlib.Path(generated).read_bytes(),
        f"privet/{library.name}": library.read_bytes(),
        "privet/py.typed": b"",
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
    }
    record = "".join(f"{path},sha256={digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    path = pathlib.Path(out) / f"{name}.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in files.items():
            # A fixed time, and readable by all.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    print(path)


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
