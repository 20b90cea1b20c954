//! The program as users run it: the README's commands, and how it ends.
