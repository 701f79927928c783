import os

import pytest

from mmwsss.engine import cores
from mmwsss.engine.cores import cgroup_quota, free_cores


@pytest.fixture
def machine(monkeypatch):
    """Simulate a machine with a number of cores and, optionally, a cgroup quota."""

    def describe(count, quota=None):
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(count)), raising=False)
        monkeypatch.setattr(cores, 'cgroup_quota', lambda: quota)

    return describe


@pytest.mark.parametrize(('count', 'free'), [(1, 1), (2, 2), (3, 2), (4, 3), (16, 15), (64, 63)])
def test_one_core_of_three_or_more_is_left_to_the_main_process(machine, count, free):
    machine(count)
    assert free_cores() == free


@pytest.mark.parametrize(('quota', 'free'), [(8, 7), (3.9, 2), (2, 2), (0.5, 1), (100, 63)])
def test_a_quota_below_the_number_of_cores_counts_rounded_down(machine, quota, free):
    machine(64, quota)
    assert free_cores() == free


def test_ranks_of_a_node_share_cores_and_quota(machine, on_ranks):
    machine(16)
    assert on_ranks(2, lambda _: free_cores()) == [7, 7]
    machine(16, quota=6)
    assert on_ranks(3, lambda _: free_cores()) == [2, 2, 2]


def test_ranks_bound_to_cores_of_their_own_share_nothing(monkeypatch, on_ranks):
    """As Slurm binds the tasks of a step with --cpus-per-task."""

    def bound(rank):
        first = 4 * rank
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(first, first + 4)))
        monkeypatch.setattr(cores, 'cgroup_quota', lambda: None)
        return free_cores()

    assert on_ranks(2, bound) == [3, 3]


def test_ranks_of_other_nodes_do_not_count(monkeypatch, machine, on_ranks):
    machine(8)

    def elsewhere(rank):
        monkeypatch.setattr(cores.platform, 'node', lambda: f'node{rank}')
        return free_cores()

    assert on_ranks(2, elsewhere) == [7, 7]


def write(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace('__', '.')).write_text(f'{text}\n')


def test_quota_of_cgroup_version_2_is_the_tightest_of_the_nested_ones(tmp_path):
    own, mount = tmp_path / 'own', tmp_path / 'mount'
    own.write_text('0::/job/step\n')
    write(mount / 'job/step', cpu__max='max 100000')
    assert cgroup_quota(own, mount) is None
    (mount / 'job/cpu.max').write_text('350000 100000\n')
    assert cgroup_quota(own, mount) == 3.5
    (mount / 'job/step/cpu.max').write_text('200000 50000\n')  # 4 cores, but the job has 3.5
    assert cgroup_quota(own, mount) == 3.5


def test_quota_of_cgroup_version_1_is_that_of_the_cpu_controller(tmp_path):
    own, mount = tmp_path / 'own', tmp_path / 'mount'
    own.write_text('5:memory:/other\n4:cpu,cpuacct:/job\n0::/\n')
    write(mount / 'cpu/job', cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    assert cgroup_quota(own, mount) is None
    (mount / 'cpu/job/cpu.cfs_quota_us').write_text('250000\n')
    assert cgroup_quota(own, mount) == 2.5


def test_quota_in_a_container_stands_at_the_root_of_the_mount(tmp_path):
    own, mount = tmp_path / 'own', tmp_path / 'mount'
    own.write_text('0::/docker/of-the-host\n')
    write(mount, cpu__max='600000 100000')
    assert cgroup_quota(own, mount) == 6


def test_without_cgroups_there_is_no_quota(tmp_path):
    assert cgroup_quota(tmp_path / 'own', tmp_path) is None
