# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch's samples, one after the other and by number, against what numpy wrote."""

import numpy as np
import pytest

from dl_driver import open_loader

SHAPES = {
    "rows": lambda number: np.arange(12, dtype="<i4").reshape(3, 4) + number,
    "columns": lambda number: np.asfortranarray(np.arange(12, dtype="<f4").reshape(3, 4) + number),
    "scalar": lambda number: np.array(number, dtype="<i8"),
    "empty": lambda number: np.zeros((0, 3)),
}


@pytest.mark.parametrize("names", [["rows"], ["rows", "columns"], ["rows", "scalar"], ["empty", "rows"]])
@pytest.mark.parametrize("batch_size", [1, 4, 5])
def test_samples_are_the_arrays_that_were_written(tmp_path, names, batch_size):
    for number in range(6):
        np.savez(tmp_path / f"{number}.npz", **{name: SHAPES[name](number) for name in names})
    kept = []
    with open_loader(str(tmp_path), batch_size=batch_size, workers=1, engine="threads") as loader:
        for batch in loader:
            kept += batch
            for number, sample in enumerate(batch):
                assert {name: array.tolist() for name, array in sample.items()} == {
                    name: array.tolist() for name, array in batch[number].items()
                }
    for number, sample in enumerate(kept):
        assert list(sample) == names
        for name, array in sample.items():
            wanted = SHAPES[name](number)
            assert (array.shape, array.dtype, array.flags.writeable) == (wanted.shape, wanted.dtype, False)
            assert array.flags.f_contiguous == wanted.flags.f_contiguous
            np.testing.assert_array_equal(array, wanted)
