"""The directions that scikit-learn's classifiers find, for the comparison of interp/concept.

    concept.py DIR ROWS

DIR/x.f64 has ROWS rows of numbers and DIR/y.f64 their labels, 1 and -1, in float64. For each classifier DIR/NAME.f64 is
written: the direction, and at last the bias.
"""
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

dir, rows = sys.argv[1], int(sys.argv[2])
x = np.fromfile(f"{dir}/x.f64").reshape(rows, -1)
y = np.fromfile(f"{dir}/y.f64")
for name, classifier in {
    "logistic": LogisticRegression(C=1, solver="newton-cg", tol=1e-10, max_iter=100_000),  # lbfgs stops early: see concepts.py
    "hinge": SVC(kernel="linear", C=1 / (.01 * rows), tol=1e-10),  # SGDClassifier(alpha=.01) goes towards its minimum
}.items():
    classifier.fit(x, y)
    np.append(classifier.coef_[0], classifier.intercept_).tofile(f"{dir}/{name}.f64")
