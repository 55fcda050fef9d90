"""How a question in plain words becomes a tool call, one module per tool.

Each module has two functions. `propose(question)` returns a `Proposal` (which
function, with what arguments, how sure) or None. `say(function, arguments,
result, language)` puts the result into a sentence. Only the offline engine uses
these modules; a language model calls the functions in `tools/` directly.
"""
