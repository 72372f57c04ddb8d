"""Captioners that others published as `.pt` files, CapDec's and ClipCap's, brought into this project's form.

`layout` has the names and shapes of the published files, `read` opens them without running anything, `build` makes a
captioner of one, `published` finds one by its name on the model hub, `settings` is what a profile says of it, and
`speak` lets it caption a profile's images.
Sources: rmokady/CLIP_prefix_caption (Mokady et al. 2021) and DavidHuji/CapDec (Nukrai et al. 2022), train.py in both.
"""
