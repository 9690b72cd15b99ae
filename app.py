"""Layerloom: draw a network, watch it learn, take its code. Start it with ``streamlit run app.py``."""

from builder.ui.page import page

page()
