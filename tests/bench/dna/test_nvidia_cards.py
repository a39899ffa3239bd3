"""Cards that are lost, cut up or told by other packages, on stand-ins for the driver: no card stands behind these."""

from types import SimpleNamespace

import pytest

from bench.dna import child, gpu, nvidia, nvml
from bench.dna.facts import AbsentError, UnavailableError


class Driver:
    """Cards by name; what differs is given by the name of the call, an exception to raise it, a function to ask it."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, *names, **calls):
        usual = {
            "nvmlInit": None,
            "nvmlShutdown": None,
            "nvmlDeviceGetCount": len(names),
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetName": lambda card: names[card],
            "nvmlDeviceGetUUID": lambda card: f"GPU-{card}",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 * 2**30, used=2**28),
            "nvmlDeviceGetMigMode": (0, 0),
            "nvmlSystemGetDriverVersion": "600.1",
        }
        self.calls = usual | calls

    def __getattr__(self, name):
        if name not in self.calls:
            raise AttributeError(name)
        answer = self.calls[name]

        def call(*arguments):
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


class NVMLError(Exception):
    def __init__(self, text, value=999):
        super().__init__(text)
        self.value = value


def lost(index):
    if index == 0:
        raise NVMLError("GPU is lost", 15)
    return index


def of_kind(broken):
    def ask(card):
        if card == 0:
            raise broken
        return SimpleNamespace(total=1, used=0) if isinstance(broken, NVMLError) else "GPU-1"

    return ask


@pytest.mark.parametrize(
    "error",
    [
        NVMLError("GPU is lost", 15),
        NVMLError("Insufficient External Power", 8),
        NVMLError("Insufficient Permissions", 4),
        NVMLError("Unknown Error"),
        OSError("the library itself fails"),
    ],
)
def test_a_card_that_is_not_given_is_named_and_the_other_stays_usable(tmp_path, error):
    def handle(index):
        if index == 0:
            raise error
        return index

    found = nvidia.look(None, library=Driver("A", "B", nvmlDeviceGetHandleByIndex=handle), root=tmp_path)
    assert found.names == ("B",)
    (trouble,) = found.trouble
    assert trouble.startswith("GPU 0: ")
    assert str(error) in trouble


def test_a_card_that_falls_off_the_bus_after_it_was_given_is_named_too(tmp_path):
    gone = NVMLError("GPU is lost", 15)

    def ask(card):
        if card == 0:
            raise gone
        return "GPU-1"

    driver = Driver("A", "B", nvmlDeviceGetUUID=ask, nvmlDeviceGetMemoryInfo=of_kind(gone), nvmlDeviceGetName=ask)
    found = nvidia.look(None, library=driver, root=tmp_path)
    assert len(found.names) == 1
    assert "GPU is lost" in found.trouble[0]


def test_an_index_means_the_same_card_whether_another_is_lost_or_not(tmp_path):
    driver = Driver("A", "B", "C", nvmlDeviceGetHandleByIndex=lost)
    assert nvidia.look("2", library=driver, root=tmp_path).names == ("C",)
    assert nvidia.look("0", library=driver, root=tmp_path).names == ()


@pytest.mark.parametrize("text", ["Driver/library version mismatch", "RM has detected an NVML/RM version mismatch."])
def test_a_driver_that_does_not_answer_is_trouble_and_no_machine_without_gpus(tmp_path, text):
    found = nvidia.look(None, library=Driver("A", nvmlInit=NVMLError(text, 18)), root=tmp_path)
    assert found.names == ()
    assert "mismatch" in found.trouble[0]
    assert gpu.read(Driver("A", nvmlInit=NVMLError(text, 18))).identity.unavailable["gpus"].startswith("unreadable: ")


def test_no_driver_and_no_device_file_is_a_machine_without_gpus(tmp_path):
    missing = Driver(nvmlInit=NVMLError("NVML Shared Library Not Found", 12))
    assert nvidia.look(None, library=missing, root=tmp_path) == nvidia.NvidiaCards()
    with pytest.raises(AbsentError), nvml.driver(missing, tmp_path):
        pass


def test_cards_of_the_host_that_a_container_was_not_given_are_a_note(tmp_path):
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    missing = Driver(nvmlInit=NVMLError("NVML Shared Library Not Found", 12))
    (note,) = nvidia.look(None, library=missing, root=tmp_path).notes
    assert "1 NVIDIA GPU, and this process was given none" in note


@pytest.mark.parametrize("node", ["nvidia0", "nvgpu", "dxg"])
@pytest.mark.parametrize(
    ("given", "names", "trouble"),
    [
        ({"names": ["H100"], "reason": ""}, ("H100",), 0),
        ({"names": [], "reason": "CUDA unknown error"}, (), 1),
        (UnavailableError("no answer in 120 s"), (), 1),
    ],
)
def test_a_container_with_cards_and_without_the_driver_s_library_asks_torch(
    tmp_path, monkeypatch, node, given, names, trouble
):
    def answer(module, arguments, *, timeout_s):
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(nvidia, "document_of", answer)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / node).touch()
    missing = Driver(nvmlInit=NVMLError("NVML Shared Library Not Found", 12))
    found = nvidia.look(None, library=missing, root=tmp_path)
    assert (found.names, len(found.trouble)) == (names, trouble)
    assert f"/dev/{node} is there" in (*found.notes, *found.trouble)[0]


def test_the_real_torch_answers_when_it_is_asked():
    document = child.document_of("bench.dna.seen_by_torch", (), timeout_s=120)
    assert set(document) == {"names", "reason"}


@pytest.mark.parametrize(
    ("calls", "name"),
    [
        ({"nvmlDeviceGetName": b"Card", "nvmlDeviceGetUUID": b"GPU-0"}, "Card"),  # an older package: bytes for text
        ({"nvmlDeviceGetName": lambda card: b"\xf8\x55".decode()}, "NVIDIA GPU"),  # text that cannot be decoded
        ({"nvmlDeviceGetName": b"\xf8\x55"}, "\ufffdU"),
        ({"nvmlDeviceGetMigMode": TypeError("takes 0 positional arguments")}, "Card"),
    ],
)
def test_another_package_of_that_name_gives_what_it_can(tmp_path, calls, name):
    driver = Driver("Card", **calls)
    assert nvidia.look(None, library=driver, root=tmp_path).names == (name,)
    found = gpu.read(driver)  # most calls are not there at all
    assert found.identity.values["gpus"][0].get("name", "NVIDIA GPU") == name
    assert "does not know nvmlDeviceGetNumGpuCores" in found.identity.unavailable["gpus.0.cores"]


@pytest.mark.parametrize("odd", [None, 1.5, -1, [None], object()], ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize(
    "call", ["nvmlDeviceGetName", "nvmlDeviceGetUUID", "nvmlDeviceGetMigMode", "nvmlSystemGetDriverVersion"]
)
@pytest.mark.parametrize("visible", [None, "1"])
def test_an_answer_of_another_kind_costs_itself_only(tmp_path, call, odd, visible):
    found = nvidia.look(visible, library=Driver("A", "B", **{call: lambda *_: odd}), root=tmp_path)
    expected = ("NVIDIA GPU",) * 2 if call == "nvmlDeviceGetName" else ("A", "B")
    assert found.names == (expected if visible is None else expected[1:])


@pytest.mark.parametrize("count", [None, "two"])
def test_a_driver_that_does_not_count_its_cards_is_trouble(tmp_path, count):
    driver = Driver("A", nvmlDeviceGetCount=count)
    assert nvidia.look(None, library=driver, root=tmp_path).trouble
    assert gpu.read(driver).identity.unavailable["gpus"].startswith("unreadable")


def test_two_cards_that_tell_one_uuid_are_two(tmp_path):
    driver = Driver("A", "B", nvmlDeviceGetUUID="GPU-same")
    assert nvidia.look(None, library=driver, root=tmp_path).names == ("A", "B")


def test_one_lost_card_costs_its_own_facts_only():
    found = gpu.read(Driver("A", "B", nvmlDeviceGetHandleByIndex=lost))
    assert [card.get("name") for card in found.identity.values["gpus"]] == [None, "B"]
    assert "GPU is lost" in found.identity.unavailable["gpus.0.name"]
    assert found.driver.values == {"driver": "600.1"}


def cut(slices):
    """A card in MIG mode with these slices, and a whole one beside it where asked for."""

    def part(card, number):
        if number >= len(slices):
            raise NVMLError("Not Found", 6)
        return 100 + number

    names = {0: "H100", 1: "L4"} | {100 + number: f"H100 MIG {name}" for number, name in enumerate(slices)}
    return Driver(
        "H100",
        nvmlDeviceGetName=lambda card: names[card],
        nvmlDeviceGetUUID=lambda card: f"GPU-{card}" if card < 100 else f"MIG-{card}",
        nvmlDeviceGetMigMode=lambda card: (card == 0, 0),
        nvmlDeviceGetMaxMigDeviceCount=7,
        nvmlDeviceGetMigDeviceHandleByIndex=part,
    )


@pytest.mark.parametrize(
    ("visible", "slices", "names"),
    [
        (None, ("1g.10gb", "2g.20gb"), ("H100 MIG 1g.10gb",)),  # a process sees one
        ("MIG-101", ("1g.10gb", "2g.20gb"), ("H100 MIG 2g.20gb",)),
        ("MIG-100,MIG-101", ("1g.10gb", "2g.20gb"), ("H100 MIG 1g.10gb",)),
        (None, (), ()),
    ],
)
def test_a_slice_of_a_card_is_told_as_what_it_is(tmp_path, visible, slices, names):
    found = nvidia.look(visible, library=cut(slices), root=tmp_path)
    assert found.names == names
    assert bool(found.trouble) == (not slices)


def test_unlike_cards_are_told_as_what_they_are(tmp_path):
    found = nvidia.look(None, library=Driver("A", "B", "A"), root=tmp_path)
    assert "2 x A, 1 x B" in found.notes[0]
    assert nvidia.look("0,2", library=Driver("A", "B", "A"), root=tmp_path).notes == ()


@pytest.mark.parametrize("visible", ["²", "٣", "1.5", "GPU", "-1", ""])
def test_what_is_no_index_and_no_uuid_shows_nothing(visible):
    assert nvidia.visible_devices(visible, {"GPU-a": "A", "GPU-b": "B"}) == ()
