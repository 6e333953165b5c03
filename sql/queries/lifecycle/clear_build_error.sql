-- Clears the last error of a collection's build. The generation that the settings require is open
-- and complete.
update ragline.collections
set build_error_name = null, build_error = null, build_error_since = null, build_error_at = null
where name = cast(:collection as text) and build_error is not null
