"""Makes support.py importable from the stories of both levels."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
