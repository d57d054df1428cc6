"""The GCN estimators as scikit-learn citizens, and their backends against each other."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, learning_curve
from sklearn.utils.class_weight import compute_sample_weight

from pyg_nas.data.tables.table import Table
from pyg_nas.engine import shared_terms
from pyg_nas.engine.gcn_config import TrainingConfig
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.shared_terms import PreparedTerms
from pyg_nas.errors import DivergedError, ModelError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gnn import gcn as estimators
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor, paper_width
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.validation import as_cells

FAST = {"hidden": 32, "depth": 2, "head": 16, "epochs": 60, "learning_rate": 5e-3}


@pytest.fixture(scope="module")
def cells() -> CellArray:
    return sample_cells(80, seed=1)


@pytest.fixture(scope="module")
def y(cells: CellArray) -> np.ndarray:
    """A label that the graph determines: the exact parameters, scaled like an accuracy."""
    return 0.7 + 0.03 * np.log10(cells.trainable_parameters())


@pytest.fixture(scope="module")
def fitted(cells: CellArray, y: np.ndarray) -> GCNRegressor:
    return GCNRegressor(**FAST, ensemble_size=2).fit(cells, y)


def test_learns_what_the_graph_determines(fitted: GCNRegressor, y: np.ndarray) -> None:
    unseen = sample_cells(280, seed=1)[80:]
    truth = 0.7 + 0.03 * np.log10(unseen.trainable_parameters())
    assert np.corrcoef(fitted.predict(unseen), truth)[0, 1] > 0.8
    assert abs(fitted.predict(unseen).mean() - y.mean()) < y.std()


def test_same_seed_same_numbers(cells: CellArray, y: np.ndarray, fitted: GCNRegressor) -> None:
    again = GCNRegressor(**FAST, ensemble_size=2).fit(cells, y)
    assert np.array_equal(again.predict(cells), fitted.predict(cells))
    other = GCNRegressor(**FAST, ensemble_size=2, random_state=1).fit(cells, y)
    assert not np.array_equal(other.predict(cells), fitted.predict(cells))


@pytest.mark.parametrize(
    "regressor",
    [GCNRegressor(hidden=8, epochs=2), ResidualGNNRegressor(2, hidden=8, epochs=3)],
    ids=["gcn", "residual"],
)
def test_fits_in_threads_are_those_of_one_thread(
    cells: CellArray, y: np.ndarray, regressor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(seed: int) -> np.ndarray:
        return clone(regressor).set_params(random_state=seed).fit(cells, y).predict(cells)

    alone = [fitted(seed) for seed in range(6)]
    before = torch.random.get_rng_state()
    seeded: list[int] = []
    monkeypatch.setattr(torch, "manual_seed", seeded.append)  # of every device, also on CUDA
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(fitted, range(6)))
    np.testing.assert_array_equal(together, alone)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not seeded


def test_std_is_the_spread_of_members(fitted: GCNRegressor, cells: CellArray) -> None:
    mean, std = fitted.predict(cells, return_std=True)
    members = []
    for member in fitted.members_:
        single = clone(fitted).set_params(ensemble_size=1)
        single.space_, single.mean_, single.std_ = fitted.space_, fitted.mean_, fitted.std_
        single.members_ = [member]
        members.append(single.predict(cells))
    np.testing.assert_allclose(mean, np.mean(members, axis=0), atol=1e-6)
    np.testing.assert_allclose(std, np.std(members, axis=0), atol=1e-6)


def test_sparse_and_dense_train_to_the_same_weights(cells: CellArray, y: np.ndarray) -> None:
    few = {**FAST, "epochs": 3, "ensemble_size": 2}
    dense = GCNRegressor(**few, backend="dense").fit(cells, y)
    sparse = GCNRegressor(**few, backend="sparse").fit(cells, y)
    np.testing.assert_allclose(dense.predict(cells), sparse.predict(cells), atol=1e-5)
    assert dense.predict(cells[:0]).shape == sparse.predict(cells[:0]).shape == (0,)


def test_order_and_batching_of_cells_do_not_matter(fitted: GCNRegressor) -> None:
    cells = sample_cells(50, seed=9)
    together = fitted.predict(cells)
    alone = np.array([fitted.predict([cell])[0] for cell in cells])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("backend", ["dense", "sparse"])
def test_equal_cells_have_equal_predictions_wherever_they_stand(
    backend: str, cells: CellArray, y: np.ndarray
) -> None:
    fitted = GCNRegressor(**FAST | {"epochs": 1}, backend=backend).fit(cells, y)
    expected = fitted.predict(cells)
    for count in (1, 2, 3, 15, 17, 33, 127, 401):
        rows = np.random.default_rng(count).integers(0, len(cells), count)
        np.testing.assert_array_equal(fitted.predict(cells[rows]), expected[rows])


def test_many_cells_are_scored_in_blocks_with_the_same_numbers(
    fitted: GCNRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseen = sample_cells(60, seed=7)
    expected = fitted.predict(unseen)
    scored: list[int] = []

    def take(terms: PreparedTerms, cells: CellArray, depth: int) -> Any:
        scored.append(len(cells))
        return unwatched(terms, cells, depth)

    unwatched = PreparedTerms.take
    monkeypatch.setattr(estimators, "FEWEST_COMPILED", 60)
    monkeypatch.setattr(estimators, "ORDERED_CELLS", 25)
    monkeypatch.setattr(PreparedTerms, "take", take)
    np.testing.assert_allclose(fitted.predict(unseen), expected, rtol=1e-6)
    if use_compiled(torch.device("cpu"), [member.activation for member in fitted.members_]):
        assert scored == [25, 25, 10]


def test_prepared_cells_have_the_same_numbers(
    fitted: GCNRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And their terms are computed once."""
    unseen = sample_cells(60, seed=8)
    monkeypatch.setattr(estimators, "FEWEST_COMPILED", 60)
    expected = fitted.predict(unseen)
    numbered: list[int] = []

    def refine(cells: CellArray, depth: int) -> Any:
        numbered.append(len(cells))
        return shared_terms_refine(cells, depth)

    shared_terms_refine = shared_terms.refine
    monkeypatch.setattr(shared_terms, "refine", refine)
    fitted.prepare(unseen)
    np.testing.assert_array_equal(fitted.predict(unseen), expected)
    np.testing.assert_array_equal(fitted.predict(unseen), expected)
    if use_compiled(torch.device("cpu"), [member.activation for member in fitted.members_]):
        assert numbered == [60, 60]


def test_clone_and_pickle(fitted: GCNRegressor, cells: CellArray) -> None:
    assert not hasattr(clone(fitted), "members_")
    assert clone(fitted).get_params() == fitted.get_params()
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict(cells), fitted.predict(cells))


def test_cross_validation_scores_on_held_out_folds(cells: CellArray, y: np.ndarray) -> None:
    model = GCNRegressor(**FAST)
    splitter = KFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(model, cells, y, cv=splitter)
    for score, (train, test) in zip(scores, splitter.split(cells), strict=True):
        own = clone(model).fit(cells[train], y[train])
        assert score == pytest.approx(own.score(cells[test], y[test]), abs=1e-6)


def test_grid_search_and_learning_curve_in_parallel(cells: CellArray, y: np.ndarray) -> None:
    model = GCNRegressor(**{**FAST, "epochs": 2})
    search = GridSearchCV(model, {"hidden": [4, 8]}, cv=2, n_jobs=2).fit(cells, y)
    assert search.best_estimator_.hidden in (4, 8)
    sizes, _, scores = learning_curve(model, cells, y, train_sizes=[10, 20], cv=2)
    assert sizes.tolist() == [10, 20]
    assert np.isfinite(scores).all()


def test_a_table_or_a_list_of_cells_will_do(small_table: Table, fitted: GCNRegressor) -> None:
    expected = fitted.predict(small_table.cells[:5])
    assert np.array_equal(fitted.predict(small_table.subset(slice(0, 5))), expected)
    assert np.array_equal(fitted.predict(list(small_table.cells[:5])), expected)
    with pytest.raises(ModelError, match="X must be"):
        as_cells([1, 2, 3])
    with pytest.raises(ModelError, match="X must be"):
        as_cells(5)


def test_constant_labels_and_one_cell(cells: CellArray) -> None:
    model = GCNRegressor(**{**FAST, "epochs": 1}).fit(cells[:1], [0.9])
    assert np.isfinite(model.predict(cells)).all()


def test_bad_labels_are_refused(cells: CellArray, y: np.ndarray) -> None:
    with pytest.raises(SettingsError, match="finite"):
        GCNRegressor(**FAST).fit(cells, np.where(np.arange(80) == 5, np.nan, y))
    for wrong in (y[:-1], y[:, None]):
        with pytest.raises(SettingsError, match=r"y must be \[80\]"):
            GCNRegressor(**FAST).fit(cells, wrong)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", 0),
        ("hidden", 0),
        ("ensemble_size", 1.5),
        ("dropout", 1.0),
        ("learning_rate", -1.0),
        ("backend", "fast"),
        ("device", "no-such-device"),
        ("random_state", -1),
        ("target_mean", float("nan")),
        ("target_std", -1.0),
    ],
)
def test_bad_settings_are_named(
    cells: CellArray, y: np.ndarray, setting: str, value: object
) -> None:
    with pytest.raises(SettingsError, match=setting):
        GCNRegressor(**{**FAST, setting: value}).fit(cells, y)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("estimator", [GCNRegressor, GCNClassifier, ResidualGNNRegressor])
def test_a_training_that_diverges_is_an_error(
    cells: CellArray, y: np.ndarray, estimator: type
) -> None:
    labels = y > np.median(y) if estimator is GCNClassifier else y
    model = estimator(hidden=8, epochs=20, learning_rate=1e30, device="cpu")
    with pytest.raises(
        DivergedError, match=r"not finite from epoch \d+ of 20 .*1e\+30 is too high"
    ):
        model.fit(cells, labels)


def test_other_operations_are_refused(fitted: GCNRegressor) -> None:
    space = SearchSpace("other", ("a", "b"), 7, 9, ("output", "input"))
    empty = CellArray.from_cells([], space)
    message = (
        "the space 'other', with the operations output, input, a, b; the model was fitted to the "
        f"operations .* of '{fitted.space_.name}'"
    )
    with pytest.raises(ModelError, match=message):
        fitted.predict(empty)


@pytest.mark.parametrize(
    ("n", "width"), [(1, 48), (43, 48), (86, 72), (172, 144), (334, 210), (860, 320), (9000, 320)]
)
def test_paper_width(n: int, width: int) -> None:
    assert paper_width(n) == width


def test_classifier_separates_and_keeps_its_classes(cells: CellArray, y: np.ndarray) -> None:
    labels = np.where(y > np.median(y), "good", "bad")
    model = GCNClassifier(**FAST).fit(cells, labels)
    assert model.classes_.tolist() == ["bad", "good"]
    probabilities = model.predict_proba(cells)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(model.predict(cells) == "good", probabilities[:, 1] > 0.5)
    assert model.score(cells, labels) > 0.8


def test_classifier_needs_two_classes(cells: CellArray) -> None:
    for labels in (np.zeros(80), np.arange(80)):
        with pytest.raises(SettingsError, match="exactly two classes"):
            GCNClassifier(**FAST).fit(cells, labels)
    with pytest.raises(SettingsError, match="y must be classes, got nan at 1"):
        GCNClassifier(**FAST).fit(cells, np.tile([1.0, np.nan], 40))
    for weight in (-1.0, "3", np.inf):
        with pytest.raises(SettingsError, match="class_weight of 1 must be"):
            GCNClassifier(**FAST, class_weight={0: 1, 1: weight}).fit(cells, np.tile([0, 1], 40))
    with pytest.raises(SettingsError, match="class_weight must be None, balanced or a weight"):
        GCNClassifier(**FAST, class_weight=3).fit(cells, np.tile([0, 1], 40))
    of_a_file = {"0": 1.0, "1": 3.0}  # JSON has only texts as names
    with pytest.raises(SettingsError, match=r"a weight of each class, \[0, 1\], got \{'0': 1.0,"):
        GCNClassifier(**FAST, class_weight=of_a_file).fit(cells, np.tile([0, 1], 40))


def test_balanced_weights_move_the_probability(cells: CellArray, y: np.ndarray) -> None:
    rare = y > np.quantile(y, 0.9)
    plain = GCNClassifier(**{**FAST, "epochs": 5}).fit(cells, rare)
    balanced = GCNClassifier(**{**FAST, "epochs": 5}, class_weight="balanced").fit(cells, rare)
    assert balanced.predict_proba(cells)[:, 1].mean() > plain.predict_proba(cells)[:, 1].mean()


@pytest.mark.parametrize(("vertices", "sparse_training"), [(12, False), (121, True)])
def test_auto_goes_by_the_size_of_the_graphs(
    vertices: int, sparse_training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = []
    for name in ("train_sparse", "train_stacked"):
        original = getattr(estimators, name)

        def watched(*arguments: Any, _name: str = name, _run: Any = original, **named: Any) -> Any:
            ways.append(_name)
            return _run(*arguments, **named)

        monkeypatch.setattr(estimators, name, watched)
    space = SearchSpace("chains", ("a", "b"), vertices, 2 * vertices)
    chain = np.eye(vertices, k=1, dtype=int)
    rng = np.random.default_rng(0)
    cells = CellArray.from_cells(
        [Cell(chain, rng.choice(["a", "b"], vertices).tolist(), space) for _ in range(12)]
    )
    y = np.arange(12) / 12
    settings = {"hidden": 6, "epochs": 2, "device": "cpu"}
    auto = GCNRegressor(**settings).fit(cells, y)
    assert ways == ["train_sparse" if sparse_training else "train_stacked"]
    dense = GCNRegressor(**settings, backend="dense").fit(cells, y)
    np.testing.assert_allclose(auto.predict(cells), dense.predict(cells), atol=1e-5)


def test_labels_are_normalised_by_what_is_given(
    cells: CellArray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(members: Any, dense: Any, target: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        seen.append(target.numpy())
        return torch.zeros(1, 1)

    monkeypatch.setattr(estimators, "train_stacked", stop)
    model = GCNRegressor(hidden=4, target_mean=0.5, target_std=0.2, device="cpu").fit(cells, y)
    assert (model.mean_, model.std_) == (0.5, 0.2)
    np.testing.assert_allclose(seen[0], (y - 0.5) / 0.2, rtol=1e-6)


def test_every_setting_reaches_the_training(
    cells: CellArray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(members: Any, *arguments: Any, **_: Any) -> torch.Tensor:
        seen.append(arguments[2])
        return torch.zeros(1, len(members))

    monkeypatch.setattr(estimators, "train_stacked", stop)
    given = {"epochs": 3, "batch_size": 7, "learning_rate": 0.5, "weight_decay": 0.25}
    GCNRegressor(hidden=4, device="cpu", **given).fit(cells, y)
    GCNClassifier(hidden=4, device="cpu", **given).fit(cells, y > np.median(y))
    assert seen == [TrainingConfig(**given), TrainingConfig(**given, loss="bce")]


def test_ensembles_of_two_seeds_share_no_member(cells: CellArray, y: np.ndarray) -> None:
    few = {**FAST, "epochs": 1}
    weights = [
        next(member.parameters()).detach()
        for seed in (0, 1)
        for member in GCNRegressor(**few, ensemble_size=3, random_state=seed).fit(cells, y).members_
    ]
    for i, one in enumerate(weights):
        assert not any(torch.allclose(one, other) for other in weights[:i])


def test_sample_weights_weigh_the_cells(cells: CellArray, y: np.ndarray) -> None:
    rare = y > np.quantile(y, 0.9)
    few = {**FAST, "epochs": 5}
    weighed = GCNClassifier(**few).fit(cells, rare, compute_sample_weight("balanced", rare))
    balanced = GCNClassifier(**few, class_weight="balanced").fit(cells, rare)
    np.testing.assert_array_equal(weighed.predict_proba(cells), balanced.predict_proba(cells))
    assert not np.array_equal(
        weighed.predict_proba(cells), GCNClassifier(**few).fit(cells, rare).predict_proba(cells)
    )


def test_paper_width_is_that_of_the_nearest_size_on_a_log_scale() -> None:
    # 240 / 172 = 1.395, 334 / 240 = 1.392; and 64 / 43 = 1.488, 86 / 64 = 1.344.
    assert (paper_width(240), paper_width(64)) == (210, 72)


def test_the_mean_of_the_members_logits_decides(cells: CellArray, y: np.ndarray) -> None:
    model = GCNClassifier(**{**FAST, "epochs": 3}, ensemble_size=3).fit(cells, y > np.median(y))
    logits = []
    for member in model.members_:
        single = clone(model)
        single.space_, single.classes_, single.members_ = model.space_, model.classes_, [member]
        logits.append(single.decision_function(cells))
    np.testing.assert_allclose(model.decision_function(cells), np.mean(logits, axis=0), atol=1e-6)
    assert not np.allclose(logits[0], logits[1])
