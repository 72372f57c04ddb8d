"""The generated world: the same bytes, splits that share nothing, labels that hold, a whole atlas."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from small_scripts import load_script

from capdec_core import paths
from capdec_core.corpora.scenes import SPLITS, Scenes, atlas
from capdec_core.corpora.scenes.draws import Draws
from capdec_core.corpora.scenes.layout import SIDE, place_objects
from capdec_core.corpora.scenes.nouns import NOUNS
from capdec_core.corpora.scenes.places import PLACES
from capdec_core.corpora.scenes.render import render_scene
from capdec_core.corpora.scenes.world import (
    HELD_OUT,
    SHARES,
    TINTS,
    Group,
    Scene,
    is_held_out,
    sample_scene,
    scene_of,
)
from capdec_core.errors import CapdecError
from capdec_core.files import read_json

SIZES = {"pretrain": 3000, "train": 1500, "val": 300, "test": 300, "held_out": 300}


@pytest.fixture(scope="module")
def world() -> Scenes:
    return Scenes(seed=0, sizes=SIZES)


def scenes(split: str, size: int, seed: int = 0) -> list[Scene]:
    return [scene_of(seed, split, index) for index in range(size)]


def pairs_of(scene: Scene) -> set[tuple[str, str]]:
    return {*combinations(scene.nouns, 2), *((noun, scene.place) for noun in scene.nouns)}


def test_the_world_is_as_large_as_the_book_says():
    assert len(NOUNS) >= 60
    assert len(PLACES) >= 10
    assert {noun.family for noun in NOUNS.values()} == {"person", "animal", "vehicle", "food", "thing"}


def test_homes_and_traits_are_known_words():
    for noun in NOUNS.values():
        assert set(noun.homes) <= set(PLACES), noun.name
        assert noun.traits <= {"tinted", "flies", "carries"}, noun.name


def test_same_seed_same_bytes(world):
    again = Scenes(seed=0, sizes=SIZES).split("test")
    split = world.split("test")
    assert again.captions == split.captions
    assert again.labels == split.labels
    assert np.array_equal(again.render(range(40)), split.render(range(40)))


def test_the_first_scenes_are_what_they_have_always_been(world):
    """Trained weights depend on these bytes: whoever changes the world raises its VERSION and retrains."""
    text = "\n".join(caption for captions in world.split("pretrain").captions[:50] for caption in captions)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "550e481f36a001ea"


def test_another_seed_gives_other_scenes(world):
    assert Scenes(seed=1, sizes={"test": 50}).split("test").captions != world.split("test").captions[:50]


def test_an_image_depends_on_its_index_alone(world):
    render = world.split("test").render
    together = render([3, 1, 2])
    assert np.array_equal(together[0], render([3])[0])
    assert np.array_equal(Scenes(0, {"test": 4}).split("test").render([3])[0], together[0])


def test_images_are_small_colour_pictures_that_differ(world):
    images = world.split("val").render(range(100))
    assert images.shape == (100, SIDE, SIDE, 3)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 100


@pytest.mark.parametrize("index", [-1, 300])
def test_an_index_outside_the_split_is_refused(world, index):
    with pytest.raises(IndexError, match="300 images"):
        world.split("test").render([index])


def test_splits_are_parallel_lists_with_unique_ids(world):
    for name, size in SIZES.items():
        split = world.split(name)
        assert split.name == name
        assert len(set(split.ids)) == len(split.captions) == len(split.labels) == size
    assert world.split("test").ids[123] == "scenes-test-000123"


def test_no_two_splits_share_a_scene_description():
    seen = {name: {scene.description for scene in scenes(name, size)} for name, size in SIZES.items()}
    for one, other in combinations(seen, 2):
        assert not seen[one] & seen[other]


def test_no_seeds_training_scene_is_another_seeds_test_scene():
    training = {scene.description for scene in scenes("pretrain", 3000, seed=7)}
    assert not training & {scene.description for scene in scenes("test", 300)}


def test_held_out_pairs_occur_in_no_other_split():
    for name in SHARES:
        for scene in scenes(name, 400):
            assert not [pair for pair in pairs_of(scene) if is_held_out(*pair)]


def test_every_held_out_scene_has_a_held_out_pair_in_focus():
    for scene in scenes(HELD_OUT, 300):
        focus = [group.noun for group in scene.groups]
        pairs = {*combinations(focus, 2), *((noun, scene.place) for noun in focus)}
        assert any(is_held_out(*pair) for pair in pairs)


def test_held_out_pairs_leave_every_noun_most_places():
    assert is_held_out("dog", "beach") == is_held_out("beach", "dog")
    shares = [sum(is_held_out(noun, place) for place in PLACES) / len(PLACES) for noun in NOUNS]
    assert max(shares) < 0.5
    assert 0.05 < sum(shares) / len(shares) < 0.15


def test_every_noun_place_count_and_relation_is_seen_in_training():
    seen = scenes("train", 3000)
    assert {noun for scene in seen for noun in scene.nouns} == set(NOUNS)
    assert {scene.place for scene in seen} == set(PLACES)
    assert {group.count for scene in seen for group in scene.groups} == {1, 2, 3, 4}
    assert {scene.relation for scene in seen} == {None, "left", "front", "on", "above"}
    assert 0.1 < sum(scene.distractor is not None for scene in seen) / len(seen) < 0.3


def test_labels_are_all_nouns_present_with_the_unmentioned_one(world):
    split = world.split("train")
    for index, labels in enumerate(split.labels):
        scene = scene_of(0, "train", index)
        expected = {group.noun for group in scene.groups} | ({scene.distractor} - {None})
        assert set(labels) == expected
        assert len(labels) == len(expected)


def test_objects_stand_inside_the_image_and_as_often_as_counted():
    for index in range(1000):
        scene = sample_scene(Draws(f"layout {index}"))
        spots = place_objects(Draws(f"places {index}"), scene)
        for group in scene.groups:
            assert sum(spot.noun == group.noun for spot in spots) == group.count
        assert all(spot.side // 2 <= spot.x <= SIDE - spot.side // 2 for spot in spots)
        assert all(0 < spot.y < SIDE for spot in spots)


@pytest.mark.parametrize(
    ("relation", "axis", "sign"), [("left", "x", -1), ("front", "y", 1), ("on", "y", -1)]
)
def test_relations_are_drawn_as_told(relation, axis, sign):
    first, second = Group("dog", 1, "small", None, False), Group("car", 1, "large", "red", False)
    for key in range(50):
        spots = place_objects(Draws(str(key)), Scene((first, second), relation, "beach", "plain", None))
        place = {spot.noun: getattr(spot, axis) for spot in spots}
        assert sign * (place["dog"] - place["car"]) > 0


def test_a_changed_object_changes_the_image_where_it_stands():
    images = [
        render_scene(
            Draws("key"), Scene((Group(noun, 1, "large", None, False),), None, "field", "plain", None)
        )
        for noun in ("pig", "zebra")
    ]
    changed = (images[0] != images[1]).any(axis=-1)
    assert 100 < changed.sum() < 1500


@pytest.mark.parametrize("colour", TINTS)
def test_a_tinted_sprite_has_its_colour(colour):
    pixels = np.array(atlas.sprite("car", "google", colour, 33, False)).astype(float)
    body = pixels[pixels[..., 3] > 200][:, :3]
    vivid = body[np.ptp(body, axis=1) > 80].mean(axis=0)
    highest = {"red": 0, "yellow": 0, "green": 1, "blue": 2, "purple": 2, "pink": 0}[colour]
    assert vivid.argmax() == highest


def test_the_atlas_is_small_whole_and_licensed():
    assert (paths.ATLAS / "atlas.png").stat().st_size <= 2_000_000
    table = read_json(paths.ATLAS / "atlas.json")
    assert {(row["noun"], row["style"]) for row in table["sprites"]} == {
        (noun, style) for noun in NOUNS for style in atlas.STYLES
    }
    for row in table["sprites"]:
        assert row["family"] == NOUNS[row["noun"]].family
        assert row["emoji"] == NOUNS[row["noun"]].emoji
        assert np.array(atlas.sprite(row["noun"], row["style"], None, 40, False))[..., 3].mean() > 25
    for source in table["sources"]:
        assert (paths.ATLAS / f"LICENSE-{source['style']}.txt").stat().st_size > 10_000


def test_a_missing_atlas_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ATLAS", tmp_path)
    with pytest.raises(CapdecError, match="make_atlas"):
        Scenes(0, {"test": 1})


def test_the_fingerprint_tells_seed_and_sizes_apart():
    made = [Scenes(0, {"test": 5}), Scenes(1, {"test": 5}), Scenes(0, {"test": 6}), Scenes(0, {"val": 5})]
    assert len({corpus.fingerprint for corpus in made}) == 4
    assert Scenes(0, {"test": 5}).fingerprint == made[0].fingerprint


def test_an_unknown_split_is_answered_with_the_right_ones(world):
    with pytest.raises(CapdecError, match=r"'dev'.*pretrain, train, val, test, held_out"):
        world.split("dev")
    with pytest.raises(CapdecError, match=", ".join(SPLITS)):
        Scenes(0, {"dev": 10})


@pytest.mark.parametrize("size", [0, -5, 2.5, "10", True])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(CapdecError, match=f"'test' is {size!r}"):
        Scenes(0, {"test": size})


@pytest.fixture(scope="module")
def script():
    return load_script("make_atlas")


def test_packing_the_sprites_again_gives_the_committed_atlas(script):
    side = script.SIDE
    sprites = {s: {noun: atlas.sprite(noun, s, None, side, False) for noun in NOUNS} for s in atlas.STYLES}
    sheet, table = script.pack(sprites)
    assert np.array_equal(np.array(sheet), np.array(Image.open(paths.ATLAS / "atlas.png")))
    assert table == read_json(paths.ATLAS / "atlas.json")["sprites"]


def test_an_archive_with_another_checksum_is_refused(script, tmp_path):
    source = script.SOURCES[0]
    (tmp_path / source.archive).write_bytes(b"not the archive")
    with pytest.raises(CapdecError, match="SHA-512"):
        script.fetch(source, tmp_path)
