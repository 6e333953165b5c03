-- Returns the chunks of a source in every generation that is not dropped, with the columns that the
-- expectations check.
{rows/expected_chunks}
