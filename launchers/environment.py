"""The environment of a child: built from a list of what may pass, not inherited.

What a scheduler, a notebook or another launcher left in the shell (RANK, SLURM_*, OMP_PROC_BIND, …) changes the number
of ranks that join, or the threads of one row and not of another. So nothing passes that is not named here or asked for
by name (`--env NAME`). Ranks, canaries, ceilings and every other child get theirs from `environment`: what it passes is
what is stored and compared (`bench.dna.variables`).
"""

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

ALLOWED = (
    # The system and the interpreter. PYTHONPATH stays, because the user's own module may need it.
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("PYTHONPATH", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_*", "GLIBC_TUNABLES"),
    # How memory is allocated: glibc, jemalloc, mimalloc, tcmalloc.
    *("MALLOC_*", "_RJEM_MALLOC_CONF", "MIMALLOC_*", "TCMALLOC_*"),
    # Devices, and the libraries that drive them.
    *("CUDA_*", "CUDNN_*", "CUBLAS*", "NVIDIA_*", "NCCL_*", "GLOO_*", "HIP_*", "ROCR_*", "HSA_*", "MIOPEN_*"),
    # What decides the numbers on a CPU. Of MKL_* and KMP_* only these: the others are threads and where they run, which
    # the plan sets; they would change one row and not another.
    *("ATEN_CPU_CAPABILITY", "ONEDNN_*", "DNNL_*", "MKL_CBWR", "OPENBLAS_CORETYPE"),
    *("KMP_BLOCKTIME", "KMP_DUPLICATE_LIB_OK"),
    *("TORCH_*", "PYTORCH_*", "TORCHINDUCTOR_*", "TORCHDYNAMO_*", "TRITON_*", "BENCH_*"),
    # Libraries of models, and the compilers that torch.compile and extensions call.
    *("TIMM_*", "XFORMERS_*", "FLASH_ATTENTION_*", "TRANSFORMERS_*", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS"),
    # Where downloads of the user's own model are kept, and how they get here.
    *("HF_*", "HUGGINGFACE_*", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)

# What every child gets, whoever starts it. Devices are numbered as the driver's own tools number them, so that one
# means the same card in every table, and the canaries look at the card that rank 0 trains on.
_SET = {
    "PYTHONUNBUFFERED": "1",  # else the last words of a rank that is killed are lost
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
}

PASSED = "BENCH_PASSED"  # names that were asked for, with commas; set by `pass_on`
NOT_PASSED = "BENCH_NOT_PASSED"  # names that were left out, with commas: a rank says so when the user's code reads one

# Said by a launcher to one rank; a value from outside would belong to another launch.
_OURS = ("BENCH_LISTEN_FD", "BENCH_RUN_FOLDER", "BENCH_SUPERVISOR_PID", PASSED, NOT_PASSED)

# What the plan or the launcher sets in each rank: asked for by name, it would contradict them.
PLANNED = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"),
    *("KMP_AFFINITY", "KMP_HW_SUBSET", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK"),
    *("MASTER_ADDR", "MASTER_PORT", *_SET, *_OURS),
)

# Of the terminal, the desktop, the session and other tools: no model is expected to read them, so they are not listed.
_OF_THE_SESSION = (
    *("_", "SHELL", "SHLVL", "PWD", "OLDPWD", "TERM*", "COLORTERM", "COLUMNS", "LINES", "PS?", "LS_*", "LESS*"),
    *("EDITOR", "VISUAL", "PAGER", "MAIL", "HOSTNAME", "HOSTTYPE", "OSTYPE", "MACHTYPE", "DISPLAY", "WAYLAND_*"),
    *("HIST*", "DBUS_*", "SSH_*", "GPG_*", "XAUTHORITY", "DESKTOP_*", "GNOME_*", "GTK_*", "KDE_*", "QT_*", "SESSION_*"),
    *("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_*", "WINDOWID", "VTE_*", "TMUX*", "STY", "VSCODE_*", "JPY_*"),
    *("BASH_FUNC_*", "DEBIAN_FRONTEND", "MOTD_SHOWN", "NO_COLOR", "FORCE_COLOR", "CLICOLOR*", "MANPATH", "INFOPATH"),
    *("PIP_*", "UV_*", "PYENV_*", "RUST*", "CARGO_*", "NODE_*", "NVM_*", "GIT_*", "NIX_*"),
    *("*_CA_BUNDLE", "*_CA_CERTS*"),
)


def environment(extra: Mapping[str, str], *, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that every child on this host shares.

    Args:
        extra: what the launch sets: added last, wins over everything else.
        inherited: what is picked from; this process's environment unless given.
    """
    source = os.environ if inherited is None else inherited
    # torchrun sets this in whoever it starts; torch's own default is what a single host has.
    not_ours = {*_OURS, *(("TORCH_NCCL_ASYNC_ERROR_HANDLING",) if "TORCHELASTIC_RUN_ID" in source else ())}
    asked = _asked(source)
    built = {
        name: value
        for name, value in source.items()
        if name not in not_ours and (name in asked or _matches(name, ALLOWED))
    }
    left_out = source.keys() - built.keys() - {*_OURS, *_SET}
    built = {**built, **_SET, NOT_PASSED: ",".join(sorted(left_out - extra.keys()))}
    return built | dict(extra)


def pass_on(variables: Mapping[str, str | None]) -> None:
    """From now on these pass too, in whatever this process starts.

    Args:
        variables: name -> the value it is to have; None: the one that it has here.
    """
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    os.environ[PASSED] = ",".join(variables)


def asked_for(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """What was passed on by name, with its values: a host that is not this one has no such variable of its own."""
    source = os.environ if inherited is None else inherited
    return {name: source[name] for name in _asked(source) if name in source}


def not_passed(inherited: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names that are set here and do not pass; those of the terminal and the session are left out."""
    left_out = environment({}, inherited=inherited)[NOT_PASSED]
    return tuple(name for name in left_out.split(",") if name and not _matches(name, _OF_THE_SESSION))


def _asked(source: Mapping[str, str]) -> list[str]:
    return [name for name in source.get(PASSED, "").split(",") if name]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
