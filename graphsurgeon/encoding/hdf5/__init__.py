"""HDF5 files, read without the HDF5 library: groups, attributes, and where the values of datasets lie.

The library crashes on damaged files (of 2,000 with flipped bits one ends the process, others keep it busy for ten
seconds), and its import takes longer than all of `gs show`. What is here follows no link out of the file, loads no
filter, and reads values only when they are asked for. Spec: HDF5 File Format Specification, version 3.0
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html); h5py is the oracle of the tests.
"""

from graphsurgeon.encoding.hdf5.file import Dataset, File, Item, open_file
from graphsurgeon.encoding.hdf5.image import is_hdf5

__all__ = ["Dataset", "File", "Item", "is_hdf5", "open_file"]
