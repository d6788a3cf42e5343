# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from dl_driver.testing.fault_plan import Fault, FaultPlan


def broken(plan: FaultPlan, answers: int = 10_000) -> list[int]:
    return [number for number in range(answers) if plan.fault_of(number) is not None]


def test_no_kinds_break_nothing_and_a_share_of_one_breaks_each():
    assert broken(FaultPlan()) == []
    assert len(broken(FaultPlan([Fault.RESET], share=1.0))) == 10_000
    assert broken(FaultPlan([Fault.RESET], share=0.0)) == []


def test_the_share_is_kept():
    # 1 % of 10,000 is 100; five standard deviations are 50.
    assert 50 < len(broken(FaultPlan([Fault.RESET], share=0.01, seed=1))) < 150


def test_the_seed_says_which_answers():
    first, second = FaultPlan([Fault.RESET], seed=1), FaultPlan([Fault.RESET], seed=2)
    assert broken(first) == broken(FaultPlan([Fault.RESET], seed=1))
    assert broken(first) != broken(second)


def test_all_kinds_come_equally_often():
    kinds = list(Fault)
    plan = FaultPlan(kinds, share=1.0)
    counts = {kind: sum(plan.fault_of(number) is kind for number in range(11_000)) for kind in kinds}
    # 1,000 each; five standard deviations are about 150.
    assert all(850 < count < 1150 for count in counts.values())
