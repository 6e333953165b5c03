-- Records the fingerprint of the settings with which a source's attributes were computed.
update ragline.sources
set attributes_fingerprint = cast(:fingerprint as text)
where id = cast(:source_id as bigint)
