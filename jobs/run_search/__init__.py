"""Search of runs: `lr>1e-4 method:lora -status:failed "two words"`, and the order of the list.

`language` parses a query, `fields` turns each condition into a filter, `listing` puts state,
dataset, method, query and order together. Pages and the API ask through `listing`.
"""
