"""Prints which CUDA devices torch sees, as JSON: for where the driver's own library does not tell. Needs torch."""

import json
import warnings

import torch


def main() -> None:
    """Print the names of the devices, and torch's reason where there are none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        names = [torch.cuda.get_device_name(index) for index in range(count)]
    reason = str(caught[0].message).partition("\n")[0] if caught and not names else ""
    print(json.dumps({"names": names, "reason": reason}))


if __name__ == "__main__":
    main()
