

# ---- Below: faults that the tests of the acceptance seed into a tool. Which one is in force stands in the file `fault`.
def _seed_faults() -> None:
    import functools
    import pathlib
    import re

    place = pathlib.Path(__file__).resolve().parent.parent
    number = re.compile(r"-?\d+(?:\.\d+)?")

    def leaves(value, change_number, change_text):
        """The value with every number (also one that is written as text) or every text changed."""
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, dict):
            return {key: leaves(one, change_number, change_text) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [leaves(one, change_number, change_text) for one in value]
        if isinstance(value, (int, float)):
            return change_number(value)
        if isinstance(value, str) and number.fullmatch(value):
            return number_text(value, change_number)
        return change_text(value) if isinstance(value, str) else value

    def number_text(text, change):
        places = len(text.partition(".")[2])
        changed = change(float(text) if places else int(text))
        return "%.*f" % (places, changed) if isinstance(changed, float) else str(changed)

    def numbers(change):
        return lambda value: leaves(value, change, lambda text: text)

    def texts(change):
        return lambda value: leaves(value, lambda one: one, change)

    def lists(change):
        def walk(value):
            if isinstance(value, dict):
                return {key: walk(one) for key, one in value.items()}
            if isinstance(value, (list, tuple)):
                return change([walk(one) for one in value])
            return value
        return walk

    def digits(value):
        turned = str(abs(value))[::-1].strip(".") or "0"
        return type(value)(float(turned)) if "." in turned else type(value)(int(turned))

    def turned(value):
        """Values of one kind move to the next key."""
        if isinstance(value, dict):
            keys = [key for key, one in value.items() if isinstance(one, (int, float, str)) and not isinstance(one, bool)]
            return {**{key: turned(one) for key, one in value.items()}, **{key: value[keys[at - 1]] for at, key in enumerate(keys)}}
        if isinstance(value, (list, tuple)):
            return [turned(one) for one in value]
        return value

    results = {
        "one_more": numbers(lambda n: n + 1), "one_less": numbers(lambda n: n - 1), "tenfold": numbers(lambda n: n * 10),
        "a_tenth": numbers(lambda n: n / 10), "thousandfold": numbers(lambda n: n * 1000), "negative": numbers(lambda n: -n - 1),
        "two_percent_more": numbers(lambda n: n * 1.02), "half": numbers(lambda n: n / 2), "cut_off": numbers(lambda n: float(int(n)) + 3),
        "digits_turned": numbers(digits), "zero": numbers(lambda n: 0), "pounds_for_kilograms": numbers(lambda n: n * 2.20462),
        "text_turned": texts(lambda text: text[::-1]), "text_cut": texts(lambda text: text[: len(text) // 2]),
        "text_shifted": texts(lambda text: "".join(chr(ord(c) + 1) if c.isalnum() else c for c in text)),
        "text_lost": texts(lambda text: ""), "text_halved": texts(lambda text: text[len(text) // 2 :]),
        "text_without_vowels": texts(lambda text: re.sub("[aeiou]", "", text)), "text_without_blanks": texts(lambda text: text.replace(" ", "")),
        "words_turned": texts(lambda text: " ".join(reversed(text.split(" ")))), "words_lost": texts(lambda text: " ".join(text.split(" ")[1:])),
        "words_doubled": texts(lambda text: " ".join(word + word for word in text.split(" "))),
        "digits_moved": texts(lambda text: re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), text)),
        "first_sign_lost": texts(lambda text: text[1:]), "last_sign_lost": texts(lambda text: text[:-1]),
        "every_third_lost": texts(lambda text: "".join(c for at, c in enumerate(text) if at % 3 != 1)),
        "neighbours_swapped": texts(lambda text: re.sub(r"(\w)(\w)", r"\2\1", text)),
        "middle_lost": texts(lambda text: text[: len(text) // 3] + text[2 * len(text) // 3 :]),
        "last_word_lost": texts(lambda text: " ".join(text.split(" ")[:-1])),
        "three_more": numbers(lambda n: n + 3), "ten_less": numbers(lambda n: n - 10), "doubled": numbers(lambda n: n * 2),
        "hundredfold": numbers(lambda n: n * 100), "a_tenth_less": numbers(lambda n: n * 0.9),
        "only_first": lists(lambda many: many[:1]), "first_lost": lists(lambda many: many[1:]), "last_lost": lists(lambda many: many[:-1]),
        "rotated": lists(lambda many: many[1:] + many[:1]), "values_turned": turned,
        "same_for_all": None, "raises": None,
    }

    def moved(value, step):
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, (int, float)):
            return value + step
        if isinstance(value, str) and number.fullmatch(value):
            return number_text(value, lambda n: n + step)
        if isinstance(value, (list, tuple)):
            return [moved(one, step) for one in value]
        if isinstance(value, dict):
            return {key: moved(one, step) for key, one in value.items()}
        return value

    first = []

    def faulty(function):
        @functools.wraps(function)
        def call(*given, **named):
            fault = (place / "fault").read_text()
            if fault == "arguments_moved":
                named = {name: moved(value, 1) for name, value in named.items()}
                return function(*given, **named)
            if fault == "arguments_cut":
                named = {name: value[: len(value) // 2] if isinstance(value, str) else value for name, value in named.items()}
                return function(*given, **named)
            right = function(*given, **named)
            if fault == "raises":
                raise RuntimeError("seeded")
            if fault == "same_for_all":
                first.append(right)
                return first[0]
            change = results.get(fault)
            return change(right) if change else right

        return call

    for name in __all__:
        globals()[name] = faulty(globals()[name])


_seed_faults()
