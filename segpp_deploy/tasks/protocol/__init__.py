"""What every task offers, and the words in which all of them speak of accuracy and agreement."""
