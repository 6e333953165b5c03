-- Returns the documents of a source with the columns that the expectations check. No column
-- contains text of a document.
{rows/expected_documents}
