"""How a pair becomes a prompt without a chat template: `plain`, or a Jinja text over `instruction` and `input`.

A template is read from a form and rendered once a row, so only what cannot loop, call or grow is allowed in it:
text, the two fields, `if`, comparisons and a few filters.
"""

from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

FIELDS = frozenset({"instruction", "input"})

# Values of `data.prompt_template` that are names, not templates.
NAMES = frozenset({"auto", "chat", "plain"})

PLAIN = (
    "### Instruction:\n{{ instruction }}\n\n"
    "{% if input %}### Input:\n{{ input }}\n\n{% endif %}"
    "### Response:\n"
)  # fmt: skip

FILTERS = ("trim", "upper", "lower", "capitalize", "title", "length", "string")
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr, nodes.Filter,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
)  # fmt: skip

_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_environment.filters = {name: _environment.filters[name] for name in FILTERS}
_environment.globals.clear()


def render(template: str, instruction: str, input: str = "") -> str:
    """The prompt of one row; `template` is PLAIN or one that `check` has found nothing wrong with."""
    return _compiled(template).render(instruction=instruction, input=input)


@lru_cache(maxsize=32)
def _compiled(template: str) -> Template:
    return _environment.from_string(template)


def check(template: str) -> str | None:
    """What is wrong with a value of `data.prompt_template`, as a sentence; None when it can be used."""
    if template in NAMES:
        return None
    try:
        tree = _environment.parse(template)
        # The order matters: compiling already computes constants, so only what is allowed may get that far.
        found = _nodes_error(tree) or _names_error(tree)
        if not found:
            render(template, "instruction", "input")
    except TemplateSyntaxError as error:
        return f"Line {error.lineno} of the template: {error.message}"
    except (TemplateError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        return f"The template cannot be rendered: {error}"
    return found


def _names_error(tree: nodes.Template) -> str | None:
    names = meta.find_undeclared_variables(tree)
    if unknown := sorted(names - FIELDS):
        return f"The template uses {', '.join(unknown)}; a row has instruction and input"
    if "instruction" not in names:
        return "The template never uses {{ instruction }}: every prompt would be the same"
    return None


def _nodes_error(tree: nodes.Template) -> str | None:
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            return (
                f"Line {node.lineno} of the template: '{kind}' is not allowed; use text, {{{{ instruction }}}}, "
                f"{{{{ input }}}}, if, and the filters {', '.join(FILTERS)}"
            )
    return None
