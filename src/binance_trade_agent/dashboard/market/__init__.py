"""The market as the page draws it: bars, lines, marks, the book."""
