"""The environment of a rank: built from a list of what may pass, not inherited.

What a scheduler, a notebook or another launcher left in the shell (RANK, SLURM_*, OMP_PROC_BIND, …) changes the number
of ranks that join, or the threads of one row and not of another. So nothing passes that is not named here.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

ALLOWED = (
    # The system and the interpreter. PYTHONPATH stays, because the user's own module may need it.
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("PYTHONPATH", "PYTHONHASHSEED", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_*"),
    # Devices, and the libraries that drive them.
    *("CUDA_*", "CUDNN_*", "CUBLAS*", "NVIDIA_*", "NCCL_*", "GLOO_*", "HIP_*", "ROCR_*", "HSA_*"),
    # What decides the numbers on a CPU. Of MKL_* only this: the others are threads, which the plan sets.
    *("ATEN_CPU_CAPABILITY", "ONEDNN_*", "DNNL_*", "MKL_CBWR", "OPENBLAS_CORETYPE"),
    *("TORCH_*", "PYTORCH_*", "TORCHINDUCTOR_*", "TRITON_*", "BENCH_*"),
    # Where downloads of the user's own model are kept, and how they get here.
    *("HF_*", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)

# Said by a launcher to one rank; a value from outside would belong to another launch.
_OURS = ("BENCH_LISTEN_FD", "BENCH_RUN_FOLDER", "BENCH_SUPERVISOR_PID")


def environment(extra: Mapping[str, str], *, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that every rank of a launch on this host shares.

    Args:
        extra: what the launch sets: added last, wins over everything else.
        inherited: what is picked from; this process's environment unless given.
    """
    source = os.environ if inherited is None else inherited
    # torchrun sets this in whoever it starts; torch's own default is what a single host has.
    not_ours = {*_OURS, *(("TORCH_NCCL_ASYNC_ERROR_HANDLING",) if "TORCHELASTIC_RUN_ID" in source else ())}
    built = {
        name: value
        for name, value in source.items()
        if name not in not_ours and any(fnmatchcase(name, pattern) for pattern in ALLOWED)
    }
    built["PYTHONUNBUFFERED"] = "1"  # else the last words of a rank that is killed are lost
    return built | dict(extra)
