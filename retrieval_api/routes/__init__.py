"""The endpoints, one file for each noun. A route reads its message, calls the library, answers."""
