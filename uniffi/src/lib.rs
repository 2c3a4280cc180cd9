//! app-core for Kotlin, Swift and Python.
