"""The patients: sheets, images, what is wrong with them, and how they are split."""
