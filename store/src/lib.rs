//! The storage seam on sled and files.
