"""A user's own model, and what is said when it is at fault: file, line and exception, in one line."""

import sys

import pytest
from torch import nn

from bench.learn import WorkloadError
from bench.learn.models import build

SHAPE = (3, 4, 4)
GOOD = "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(48, 10))\n"


@pytest.fixture(autouse=True)
def own_imports(monkeypatch):
    """What a test imports or puts on the path is gone after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("bench_user_", "users_")):
            del sys.modules[name]


def refusal(name, options=None):
    with pytest.raises(WorkloadError) as caught:
        build(name, SHAPE, 10, options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value.message


def test_a_callable_in_a_file_makes_the_model(tmp_path):
    (tmp_path / "own.py").write_text(GOOD)
    assert isinstance(build(f"{tmp_path}/own.py:make", SHAPE, 10), nn.Sequential)


def test_a_class_is_a_callable_too_and_may_import_its_neighbours(tmp_path):
    (tmp_path / "users_layers.py").write_text(GOOD)
    (tmp_path / "own.py").write_text(
        "import users_layers\nclass Net(type(users_layers.make())):\n    pass\nmake = users_layers.make\n"
    )
    assert isinstance(build(f"{tmp_path}/own.py:make", SHAPE, 10), nn.Sequential)


def test_a_callable_in_a_module_of_the_current_folder_makes_the_model(tmp_path, monkeypatch):
    (tmp_path / "users_module.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert isinstance(build("users_module:make", SHAPE, 10), nn.Sequential)


def test_a_file_called_like_a_module_of_python_does_not_become_that_module(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    build("random.py:make", SHAPE, 10)
    assert hasattr(sys.modules["random"], "shuffle")
    assert "random has no callable 'make'" in refusal("random:make")


def test_a_fork_of_an_installed_library_beside_the_file_is_what_gets_imported(tmp_path):
    installed = tmp_path / "installed"
    for folder in (installed, tmp_path / "project"):
        (folder / "users_library").mkdir(parents=True)
        (folder / "users_library" / "__init__.py").write_text(f"NAME = {folder.name!r}\n")
    sys.path.insert(0, str(installed))
    (tmp_path / "project" / "users_net.py").write_text(f"import users_library\n{GOOD}make.fork = users_library.NAME\n")
    build(f"{tmp_path}/project/users_net.py:make", SHAPE, 10)
    assert sys.modules["users_net"].make.fork == "project"


def test_what_a_link_points_to_finds_its_own_neighbours(tmp_path):
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "users_beside.py").write_text(GOOD)
    (tmp_path / "v1" / "net.py").write_text("from users_beside import make\n")
    (tmp_path / "users_link.py").symlink_to(tmp_path / "v1" / "net.py")
    assert isinstance(build(f"{tmp_path}/users_link.py:make", SHAPE, 10), nn.Sequential)


def test_an_object_of_the_file_can_be_pickled_and_the_file_is_imported_once(tmp_path):
    (tmp_path / "users_pair.py").write_text(
        f"import dataclasses\n@dataclasses.dataclass\nclass Pair:\n    a: int\n{GOOD}"
        "def checked():\n    import pickle, users_pair\n    assert users_pair.Pair is Pair\n"
        "    assert pickle.loads(pickle.dumps(Pair(1))) == Pair(1)\n    return make()\n"
    )
    assert isinstance(build(f"{tmp_path}/users_pair.py:checked", SHAPE, 10), nn.Sequential)


def test_a_file_that_raises_is_named_with_line_and_exception(tmp_path):
    (tmp_path / "own.py").write_text("\n\nraise ValueError('no\\nway')\n")
    assert refusal(f"{tmp_path}/own.py:make").startswith("own.py:3 raised ValueError: no while loading")


def test_a_file_with_a_syntax_error_is_named_with_its_line(tmp_path):
    (tmp_path / "own.py").write_text("x = 1\ndef make(:\n")
    assert refusal(f"{tmp_path}/own.py:make").startswith("own.py:2 raised SyntaxError:")


def test_a_file_that_exits_does_not_end_the_run_unheard(tmp_path):
    (tmp_path / "own.py").write_text("import sys\nsys.exit(3)\n")
    assert refusal(f"{tmp_path}/own.py:make").startswith("own.py:2 raised SystemExit: 3")


def test_a_callable_that_raises_is_named_by_the_users_own_deepest_line(tmp_path):
    (tmp_path / "own.py").write_text("from torch import nn\ndef make():\n    return nn.Linear('a', 2)\n")
    assert refusal(f"{tmp_path}/own.py:make").startswith("own.py:3 raised TypeError:")


def test_a_callable_that_wants_arguments_is_told_so(tmp_path):
    (tmp_path / "own.py").write_text("def make(width):\n    return width\n")
    assert "missing 1 required positional argument: 'width' while calling make()" in refusal(f"{tmp_path}/own.py:make")


def test_a_callable_that_makes_no_module_is_told_so(tmp_path):
    (tmp_path / "own.py").write_text("def make():\n    return 'model'\n")
    assert "returned a str, not a torch.nn.Module" in refusal(f"{tmp_path}/own.py:make")


def test_a_callable_that_is_not_there_gets_a_suggestion(tmp_path):
    (tmp_path / "own.py").write_text("def make_model(): ...\n")
    with pytest.raises(WorkloadError, match=r"no callable 'makemodel'\. Did you mean make_model"):
        build(f"{tmp_path}/own.py:makemodel", SHAPE, 10)


def test_a_module_that_is_not_there_is_told_so():
    assert refusal("users_nowhere:make").startswith("users_nowhere raised ModuleNotFoundError:")


def test_a_users_model_takes_no_options(tmp_path):
    (tmp_path / "own.py").write_text(GOOD)
    assert "takes no options" in refusal(f"{tmp_path}/own.py:make", {"width": 3})


@pytest.mark.parametrize("name", ["launchers", "bench"])
def test_a_package_of_the_user_that_is_called_like_ours_is_named_when_the_model_fails(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "users_collide.py").write_text(f"from {name} import something_of_mine\n{GOOD}")
    with pytest.raises(WorkloadError) as caught:
        build(f"{tmp_path}/users_collide.py:make", SHAPE, 10)
    assert f"If it imports {name}: that is bench's own package here" in caught.value.hint
