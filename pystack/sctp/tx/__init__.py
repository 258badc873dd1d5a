"""The sending half of an association, along the way of the data: gate, queue, departure, outstanding, resending."""
