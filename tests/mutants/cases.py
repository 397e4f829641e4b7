"""The kits of all plugins of the gallery, for pytest to collect. It is no test of the project: most of it fails."""

from gitu_core.testing import conformance
from tests.mutants.gallery import ASKED, RIGHT, WRONG, tests_of

# What a wrong plugin never does is not waited for as long as what a right one may do late.
for module in vars(conformance).values():
    for name, seconds in {"PATIENCE": 0.6, "SETTLED": 0.01, "IDLE": 0.01, "GONE": 0.2}.items():
        if isinstance(getattr(module, name, None), float):
            setattr(module, name, seconds)

for seam in ASKED:
    for plugin in (*RIGHT[seam], *WRONG[seam]):
        globals()[f"Test_{seam}_{plugin.__name__}"] = tests_of(seam, plugin)
