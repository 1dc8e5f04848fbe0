"""Exits with a readable message if a device is missing: `python workflow/scripts/require_device.py gpu paper`."""

import sys

from gradalign.base.errors import DeviceError
from gradalign.training.runner import require_device

if __name__ == "__main__":
    try:
        require_device(*sys.argv[1:])
    except DeviceError as error:
        sys.exit(str(error))
