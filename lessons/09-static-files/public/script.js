document.querySelector('#script').textContent = 'The script ran, so its type was right.';
