"""Which variables of the environment are recorded with a result: those that pass to every child and can change it.

A value is recorded as it is where it is a word or a number, as nearly all switches are. Of a library that is preloaded
its name and the beginning of its content's hash are recorded; of any other value with a path or with spaces, and of
what was passed on by the user's own wish (`--env`), only the beginning of its hash; of what is called like a secret,
only that it is set.
"""

import hashlib
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from launchers.environment import asked_for, environment

PRELOADS = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES")
PRELOAD_FILE = Path("/etc/ld.so.preload")  # the same for every process of the host

_RECORDED = (
    *PRELOADS,
    *("GLIBC_TUNABLES", "MALLOC_*", "_RJEM_MALLOC_CONF", "MIMALLOC_*", "TCMALLOC_*"),
    *("CUDA_*", "CUDNN_*", "CUBLAS*", "NVIDIA_TF32_OVERRIDE", "NCCL_*", "GLOO_*", "HIP_*", "HSA_*", "MIOPEN_*"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_*", "DNNL_*", "MKL_CBWR", "OPENBLAS_CORETYPE"),
    *("KMP_BLOCKTIME", "TORCH_*", "PYTORCH_*", "TORCHINDUCTOR_*", "TORCHDYNAMO_*", "TRITON_*"),
    *("TIMM_*", "XFORMERS_*", "FLASH_ATTENTION_*"),
)
# Decide where something lies, what is logged, and which card is whose: neither numbers nor speed of the same card. A
# list of visible devices may hold serial numbers, and is recorded nowhere.
_NOT_RECORDED = (
    *("*_HOME", "*_PATH", "*_DIR", "*CACHE*", "*_ROOT", "*_VERSION", "*_FILE", "*_DEBUG*", "*LOG*", "*VERBOSE*"),
    *("*VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "*TRACE*", "*_IFNAME"),
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(^|_)(API|ACCESS|PRIVATE)?_?KEY($|_)", re.IGNORECASE)
_PLAIN = re.compile(r"[\w.,:+=%-]{1,64}")


def recorded(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name -> value, as it may be shown to anybody; of this process's environment unless another is given."""
    asked = asked_for(inherited)
    passed = {name: value for name, value in environment({}, inherited=inherited).items() if value}
    named = {name: value for name, value in passed.items() if name not in asked and _is_recorded(name)}
    return {name: _value(name, value) for name, value in sorted(named.items())} | {
        name: "set" if _SECRET.search(name) else f"#{_digest(value.encode())}" for name, value in sorted(asked.items())
    }


def preloaded_everywhere(file: Path = PRELOAD_FILE) -> str | None:
    """What this host preloads into every process; None for nothing."""
    try:
        return _libraries(file.read_text(encoding="utf-8")) or None
    except FileNotFoundError:
        return None


def _is_recorded(name: str) -> bool:
    listed, left_out = (any(fnmatchcase(name, each) for each in patterns) for patterns in (_RECORDED, _NOT_RECORDED))
    return listed and not left_out


def _value(name: str, value: str) -> str:
    if name in PRELOADS:
        return _libraries(value)
    if _SECRET.search(name):
        return "set"
    return value if _PLAIN.fullmatch(value) else f"#{_digest(value.encode())}"


def _libraries(value: str) -> str:
    """`libjemalloc.so.2 #1a2b3c4d`: what they are called, and what they are."""
    return ", ".join(f"{Path(each).name}{_content(Path(each))}" for each in re.split(r"[\s:]+", value.strip()) if each)


def _content(file: Path) -> str:
    """Of a file that can be read; a bare name is looked up by the loader, in places of its own."""
    try:
        return f" #{_digest(file.read_bytes())}"
    except OSError:
        return ""


def _digest(content: bytes) -> str:
    """Enough to tell two values apart, and too little to guess one that is worth guessing."""
    return hashlib.blake2b(content).hexdigest()[:8]
