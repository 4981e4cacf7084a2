"""A pipeline under attack: `./run_kcl.sh chaos`.

`run` goes through the phases, `nemesis` draws the acts that `decks` lists (`kills`, `zombies`, `scaling`, `reshard`,
`wires`), `supervisor` starts again who ends, `feed` puts articles, `watch` looks at leases and chains all the while,
`report` is the verdict.
"""
