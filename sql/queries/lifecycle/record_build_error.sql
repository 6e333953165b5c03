-- Records why the generation that a collection's settings ask for could not be opened or built, and
-- since when.
update ragline.collections
set
  build_error_since = case
    when build_error = cast(:error as text) then build_error_since
    else now()
  end,
  build_error_name = cast(:error_name as text),
  build_error = cast(:error as text),
  build_error_at = now()
where name = cast(:collection as text)
