"""The index card of a generation: what it was made from, how it was judged, and what it lacks.

`card` defines the card as plain values. `gathering` makes one from the database, and
`model_facts` adds the licence of the model. `markdown` writes a card as text.
"""
