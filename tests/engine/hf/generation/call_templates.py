"""Chat templates, as short as can be, that write calls of tools in each of the usual ways."""

from __future__ import annotations

TURN = "<|im_start|>{{ m.role }}\n{{ m.content }}"
END = "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
THINKING_END = END.replace("assistant\n", "assistant\n<think>\n")
EACH = "{% for m in messages %}"
CALLS = "{% for c in m.tool_calls or [] %}"
THOUGHTS = "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
NAME, GIVEN = "{{ c.function.name }}", "{{ c.function.arguments | tojson }}"
JSON = '{"name": "' + NAME + '", "arguments": ' + GIVEN + "}"
KEYS = "{% for k, v in c.function.arguments | items %}"
VALUE = "{{ v if v is string else v | tojson }}"

TEMPLATES = {
    "without tools": f"{EACH}{TURN}{END}",
    "tags around JSON": f"{EACH}<|im_start|>{{{{ m.role }}}}\n{THOUGHTS}{{{{ m.content }}}}"
    f"{CALLS}\n<tool_call>\n{JSON}\n</tool_call>{{% endfor %}}{END}",
    "a list of JSON": f"{EACH}{TURN}{{% if m.tool_calls %}}[TOOL_CALLS] [{CALLS}{JSON}"
    f"{{% if not loop.last %}}, {{% endif %}}{{% endfor %}}]{{% endif %}}{END}",
    "bare JSON": f"{EACH}{TURN}{{% if m.tool_calls | length > 1 %}}{{{{ raise_exception('one') }}}}"
    f'{{% endif %}}{CALLS}{{"name": "{NAME}", "parameters": {GIVEN}}}{{% endfor %}}{END}',
    "a name and JSON": f"{EACH}{TURN}{CALLS}[TOOL_CALLS]{NAME}[CALL_ID]{{{{ c.id }}}}[ARGS]{GIVEN}"
    f"{{% endfor %}}{END}",
    "a list of names and JSON": f"{EACH}{TURN}{{% if m.tool_calls %}}<|calls|>{CALLS}"
    f"{{% if not loop.first %}}\n{{% endif %}}<|call|>function<|sep|>{NAME}\n```json\n{GIVEN}\n```"
    f"<|end_call|>{{% endfor %}}<|end_calls|>{{% endif %}}{END}",
    "XML": f"{EACH}{TURN}{CALLS}\n<tool_call>\n<function={NAME}>\n{KEYS}<parameter={{{{ k }}}}>\n"
    f"{VALUE}\n</parameter>\n{{% endfor %}}</function>\n</tool_call>{{% endfor %}}{END}",
    "keys and values": f"{EACH}{TURN}{CALLS}\n<tool_call>{NAME}\n{KEYS}<arg_key>{{{{ k }}}}"
    f"</arg_key>\n<arg_value>{VALUE}</arg_value>\n{{% endfor %}}</tool_call>{{% endfor %}}"
    f"{THINKING_END}",
}  # fmt: skip
