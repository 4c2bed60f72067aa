"""Examples + backbone + method → adapter. Importing this package needs no deep-learning library;
running it does.
"""
