"""What payments mean: sessions, payments, events, money. Pure; standard library only."""
