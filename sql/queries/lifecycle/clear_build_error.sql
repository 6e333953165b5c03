-- Clears the last failure of a build: the generation that the settings ask for is open and
-- complete.
update ragline.collections
set build_error_name = null, build_error = null, build_error_since = null, build_error_at = null
where name = cast(:collection as text) and build_error is not null
