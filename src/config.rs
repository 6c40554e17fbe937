//! Settings: files and command line in, validated settings out.
