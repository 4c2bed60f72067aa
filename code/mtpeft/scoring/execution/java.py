"""A Java output and the tests of its instance as a program.

The tests need the output's own types, so both share a process, and three things keep an output from
passing by a lie. The harness is compiled in a package of its own, where no name of the output means
anything, and is loaded first. Each test that holds prints a word that came over standard input, a
pipe that gives it once. And what the output's methods return is looked at before the tests compare
it: an object of the output's own class, or a collection around one, could be equal to everything.
"""

import re
import secrets
from functools import lru_cache

from tree_sitter import Node

from mtpeft.core.text import with_line_feeds
from mtpeft.corpora.trees import below, parser
from mtpeft.sandbox.instances import Case, ProgramInstance
from mtpeft.sandbox.outcome import NOT_CARRIED
from mtpeft.scoring.interface import Item

_TYPES = (
    "class_declaration",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "annotation_type_declaration",
)
# The compiler reads an escape before anything else. A backslash that comes of one begins no other.
_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u+00(?!5[cC]u)([0-7][0-9a-fA-F])")
# What a text declares that the parser cannot follow.
_ROUGHLY = re.compile(
    r"\b(?:class|interface|enum|record)\s+(\w+)|[\w>\]]\s+(\w+)\s*[=;,]", re.ASCII
)
_USUAL = "import java.util.*;\nimport java.util.function.*;\nimport java.util.stream.*;\n"
_HARNESS = """package {package};

import java.lang.reflect.*;
import java.util.*;

public class Run {{
    public static void main(String[] arguments) throws Throwable {{
        java.io.PrintStream out = System.out;
        System.setOut(System.err);
        String word = new String(System.in.readAllBytes()).trim();
        try {{
            Class<?> type = Class.forName("{holder}");
            for (int n = 0; n < {count}; n++) {{
                Method test = type.getDeclaredMethod("test" + n + "_{nonce}");
                test.setAccessible(true);
                if ((boolean) test.invoke(Modifier.isStatic(test.getModifiers()) ? null : made(type))) {{
                    out.println(word + n);
                }}
            }}
        }} catch (InvocationTargetException error) {{
            throw error.getCause();
        }}
        out.flush();
    }}

    private static Object made(Class<?> type) throws Exception {{
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        return constructor.newInstance();
    }}

    public static boolean plain(boolean value) {{ return value; }}
    public static byte plain(byte value) {{ return value; }}
    public static char plain(char value) {{ return value; }}
    public static short plain(short value) {{ return value; }}
    public static int plain(int value) {{ return value; }}
    public static long plain(long value) {{ return value; }}
    public static float plain(float value) {{ return value; }}
    public static double plain(double value) {{ return value; }}

    @SuppressWarnings("unchecked")
    public static <T> T plain(T value) {{
        return (T) plain(value, 0);
    }}

    /** The value, or an equal one without a part that the output wrote. */
    private static Object plain(Object value, int depth) {{
        if (value == null) {{
            return null;
        }}
        Class<?> type = value.getClass();
        if (!type.isAnonymousClass() && !type.isArray()
                && " {shared} ".contains(" " + type.getSimpleName() + " ")) {{
            return value; // the right answer has such a class, too
        }}
        if (depth > 100 || !javas(type)) {{
            String name = type.getName();
            throw new IllegalStateException("{not_carried}an object of type "
                + name.substring(0, Math.min(200, name.length())));
        }}
        if (value instanceof Object[]) {{
            Object[] items = (Object[]) value;
            for (int n = 0; n < items.length; n++) {{
                items[n] = plain(items[n], depth + 1);
            }}
        }} else if (value instanceof Optional) {{
            Optional<?> held = (Optional<?>) value;
            return held.isPresent() ? Optional.of(plain(held.get(), depth + 1)) : value;
        }} else if (value instanceof Map.Entry) {{
            Map.Entry<?, ?> pair = (Map.Entry<?, ?>) value;
            return new AbstractMap.SimpleEntry<>(plain(pair.getKey(), depth + 1),
                plain(pair.getValue(), depth + 1));
        }} else if (value instanceof Map) {{
            return map((Map<?, ?>) value, depth + 1);
        }} else if (value instanceof List || value instanceof Set) {{
            return collection((Collection<?>) value, depth + 1);
        }} else if (value instanceof Collection) {{
            for (Object item : (Collection<?>) value) {{
                plain(item, depth + 1);
            }}
        }}
        return value;
    }}

    private static boolean javas(Class<?> type) {{
        Class<?> inner = type;
        while (inner.isArray()) {{
            inner = inner.getComponentType();
        }}
        ClassLoader loader = inner.getClassLoader();
        return loader == null || loader == ClassLoader.getPlatformClassLoader();
    }}

    private static Object collection(Collection<?> value, int depth) {{
        List<Object> items = new ArrayList<>();
        boolean same = true;
        for (Object item : value) {{
            Object kept = plain(item, depth);
            same &= kept == item;
            items.add(kept);
        }}
        Comparator<?> order = value instanceof SortedSet ? ((SortedSet<?>) value).comparator() : null;
        boolean fair = order == null || javas(order.getClass());
        if (same && fair && own(value)) {{
            return value;
        }}
        if (value instanceof List) {{
            return items;
        }}
        if (value instanceof SortedSet && fair) {{
            @SuppressWarnings("unchecked")
            Set<Object> sorted = new TreeSet<>((Comparator<Object>) order);
            sorted.addAll(items);
            return sorted;
        }}
        return new LinkedHashSet<>(items);
    }}

    private static Object map(Map<?, ?> value, int depth) {{
        Map<Object, Object> items = new LinkedHashMap<>();
        boolean same = true;
        for (Map.Entry<?, ?> pair : value.entrySet()) {{
            Object key = plain(pair.getKey(), depth), held = plain(pair.getValue(), depth);
            same &= key == pair.getKey() && held == pair.getValue();
            items.put(key, held);
        }}
        Comparator<?> order = value instanceof SortedMap ? ((SortedMap<?, ?>) value).comparator() : null;
        boolean fair = order == null || javas(order.getClass());
        if (same && fair && own(value)) {{
            return value;
        }}
        if (value instanceof SortedMap && fair) {{
            @SuppressWarnings("unchecked")
            Map<Object, Object> sorted = new TreeMap<>((Comparator<Object>) order);
            sorted.putAll(items);
            return sorted;
        }}
        return items;
    }}

    /** Whether it holds its items itself: a view may be one of a collection that the output wrote. */
    private static boolean own(Object value) {{
        Class<?> type = value.getClass();
        return Modifier.isPublic(type.getModifiers())
            && (type.getPackageName().equals("java.util") || type.getPackageName().equals("java.util.concurrent"));
    }}
}}
"""


def instance(item: Item, output: str) -> ProgramInstance:
    """The program that prints all words exactly where an output passes all tests of its item.

    Names and words are new in each run.

    Args:
        item: The output with its tests.
        output: In place of the item's own.
    """
    nonce = secrets.token_hex(8)
    text = _as_compiled(output)
    prefix = f"run{nonce}.Run.plain("
    tests = [_looked_at(_expression(test), _methods(text), prefix) for test in item.tests]
    source, holder = _with_tests(text, item.asked, tests, nonce)
    harness = _HARNESS.format(
        package=f"run{nonce}",
        holder=holder,
        count=len(tests),
        nonce=nonce,
        not_carried=NOT_CARRIED,
        shared=" ".join(sorted(_declared(item.reference))),
    )
    word = secrets.token_hex(8)
    wanted = "".join(f"{word}{n}\n" for n in range(len(tests)))
    return ProgramInstance(
        item.instance_id,
        "java",
        source,
        (Case(word.encode(), wanted.encode()),),
        main=f"Answer{nonce}",
        harness=("Run.java", harness, f"run{nonce}.Run"),
    )


def taken(item: Item, output: str) -> str:
    """A name that means something of Java in the tests and that the output gives to a thing of its
    own, such as a class `Arrays` whose `equals` is always true; empty where there is none.

    Args:
        item: The output with its tests. Without a right answer, what its tests mean is not known.
        output: In place of the item's own.
    """
    text = _as_compiled(output)
    own = (
        _declared(text) - _declared(item.reference)
        if item.reference
        else _declared(text) & {"java"}
    )
    used = {
        _text(node)
        for test in item.tests
        for node in below(_wrapped(_expression(test)))
        if node.type in ("identifier", "type_identifier")
    }
    return min((name for name in own & used if name[:1].isupper() or name == "java"), default="")


def _as_compiled(output: str) -> str:
    """A text as the compiler sees it: escapes read, lines ended by line feeds. A parser that ends a
    comment or a string elsewhere would overlook what stands behind it.
    """
    return with_line_feeds(_ESCAPE.sub(lambda found: found[1] + chr(int(found[2], 16)), output))


def _with_tests(text: str, asked: str, tests: list[str], nonce: str) -> tuple[str, str]:
    """The output as a file with a method for each test in the class that has the method which is
    asked for, and the binary name of that class.
    """
    data = text.encode("utf-8", "replace")
    parts = _tree(text).children
    imports = [_text(part) for part in parts if part.type == "import_declaration"]
    known = ("import_declaration", "package_declaration", "line_comment", "block_comment", ";")
    rest = [part for part in parts if part.type not in known]
    whole = bool(rest) and all(part.type in _TYPES for part in rest)
    holder, static = _holder(text, asked)
    edits: list[tuple[int, int, bytes]] = [
        (part.start_byte, part.end_byte, b"") for part in parts if part.type in known[:2]
    ]
    for part in rest:
        if part.type in _TYPES:
            words = _modifiers(part)
            # One file holds one public type, and the output need not know the file's name.
            edits += [(w.start_byte, w.end_byte, b"") for w in words if w.type == "public"]
            inner = not whole and part.type == "class_declaration"
            if (
                inner
                and (static or holder is not None)
                and not any(w.type == "static" for w in words)
            ):
                edits.append((part.start_byte, part.start_byte, b" static "))
    methods = "".join(
        f"\n    {'static ' if static else ''}boolean test{n}_{nonce}() throws java.lang.Throwable "
        f"{{ return {test}; }}"
        for n, test in enumerate(tests)
    )
    if holder is None and whole:
        holder = rest[0]
    body = holder.child_by_field_name("body") if holder is not None else None
    if holder is not None and body is not None:
        edits.append((body.end_byte - 1, body.end_byte - 1, f"{methods}\n".encode()))
    code = _edited(data, edits)
    names = _chain(holder)
    if not whole:
        outside = methods if holder is None else ""
        names = [f"Answer{nonce}", *names]
        code = f"class {names[0]} {{\n{code}\n{outside}\n}}"
    head = "\n".join(imports)
    return f"{head}\n{_USUAL}\n{code}\n", "$".join(names)


def _holder(text: str, asked: str) -> tuple[Node | None, bool]:
    """The type that has the method which is asked for, one that can be called where there are
    several (None: no type has it), and whether the method is static.
    """
    found = []
    for node in below(_tree(text)):
        name = node.child_by_field_name("name") if node.type == "method_declaration" else None
        if name is not None and _text(name) == asked:
            owner = node.parent
            while owner is not None and owner.type not in _TYPES:
                owner = owner.parent
            static = any(word.type == "static" for word in _modifiers(node))
            made = owner is None or not (
                owner.type == "interface_declaration"
                or any(word.type == "abstract" for word in _modifiers(owner))
            )
            callable_ = node.child_by_field_name("body") is not None and (static or made)
            found.append((not callable_, owner, static))
    found.sort(key=lambda one: one[0])
    return found[0][1:] if found else (None, False)


def _looked_at(test: str, methods: frozenset[str], prefix: str) -> str:
    """A test in which every value of the output's methods is looked at before it is compared."""
    tree = _wrapped(test)
    lead = (tree.text or b"").index(b"return ") + len(b"return ")
    edits = []
    for node in below(tree):
        name = node.child_by_field_name("name") if node.type == "method_invocation" else None
        if name is not None and _text(name) in methods:
            edits.append((node.start_byte - lead, node.start_byte - lead, prefix.encode()))
            edits.append((node.end_byte - lead, node.end_byte - lead, b")"))
    return _edited(test.encode("utf-8", "replace"), edits)


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> str:
    for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        data = data[:start] + new + data[end:]
    return data.decode("utf-8", "replace")


def _expression(test: str) -> str:
    return test.removeprefix("assert ").rstrip().removesuffix(";")


def _wrapped(expression: str) -> Node:
    return _tree(f"class a {{ boolean a() {{ return {expression}; }} }}")


@lru_cache(16)
def _tree(text: str) -> Node:
    return parser("java").parse(text.encode("utf-8", "replace")).root_node


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _modifiers(node: Node) -> list[Node]:
    return [w for part in node.children if part.type == "modifiers" for w in part.children]


def _chain(node: Node | None) -> list[str]:
    """The names of a type and of the types around it, the outermost first."""
    names: list[str] = []
    while node is not None:
        name = node.child_by_field_name("name") if node.type in _TYPES else None
        if name is not None:
            names.insert(0, _text(name))
        node = node.parent
    return names


def _declared(code: str) -> frozenset[str]:
    """The names of the types and variables that a Java text declares."""
    kinds = (*_TYPES, "variable_declarator")
    named = (node.child_by_field_name("name") for node in below(_tree(code)) if node.type in kinds)
    parameters = (
        child
        for node in below(_tree(code))
        if node.type == "type_parameter"
        for child in node.children
    )
    found = frozenset(_text(node) for node in (*named, *parameters) if node is not None)
    if not _tree(code).has_error:
        return found
    return found | {name for names in _ROUGHLY.findall(code) for name in names if name}


def _methods(code: str) -> frozenset[str]:
    """The names of the methods that a Java text declares."""
    named = (
        node.child_by_field_name("name")
        for node in below(_tree(code))
        if node.type == "method_declaration"
    )
    return frozenset(_text(node) for node in named if node is not None)
