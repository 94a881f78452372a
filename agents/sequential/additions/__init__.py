"""Additions to `agents.sequential.SASRecAgent`, each a switch that is off by default.

| setting | module | method |
|---|---|---|
| `reasoning` | `reasoning` | ReaRec, arXiv:2503.22675 |
| `contrast: meta` | `meta_contrast`, `views` | MCLRec, arXiv:2304.07763 |
| `contrast: intent` | `intent_contrast` | ICSRec, arXiv:2310.14318 |
| `long_query`, `distil_transitions` | `long_query`, `transitions` | MQSA-TED, arXiv:2311.01056 |
| `item_inputs` | `metadata` | M2TRec, arXiv:2209.11824 |
| `attention_table` | `attention_table` | DARE, arXiv:2410.02604 |
"""
