"""Lineage: events about syncs and builds for a program that collects OpenLineage events.

`activation` says whether the environment asks for events. `facts` contains the content of an event
as plain values, `events` makes the events with the OpenLineage client, and `emitter` sends them.
`ragline.lifecycle.run_lineage` decides when an event is sent. If OpenLineage is not configured, its
client is never imported.
"""
