-- Records why the generation that a collection's settings require could not be opened or built.
-- While the error does not change, the time of its first occurrence is kept.
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
