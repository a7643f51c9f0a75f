// What the tests ask of a page of JupyterLab or Notebook 7. Code cells are counted from 0.
(() => {
	const panel = () => jupyterapp.shell.currentWidget;
	const cells = () => panel().content.widgets.filter(c => c.model.type === 'code');
	const visible = e => e && e.getClientRects().length > 0;
	const select = i => {
		const notebook = panel().content;
		notebook.activeCellIndex = notebook.widgets.indexOf(cells()[i]);
		notebook.deselectAll();
	};
	const reveal = async i => {
		select(i);
		await panel().content.scrollToItem(panel().content.activeCellIndex, 'center');
	};
	const frames = n => new Promise(done => { const next = () => n-- > 0 ? requestAnimationFrame(next) : done(); next(); });
	window.driver = {
		async ready() {
			const p = panel();
			await p.context.ready;
			await p.revealed;
			await p.sessionContext.ready;
			await p.sessionContext.session.kernel.info;
			return true;
		},
		cells: () => cells().length,
		outputs: i => cells()[i].model.outputs.toJSON().map(o => ({ ...o, text: Array.isArray(o.text) ? o.text.join('') : o.text })),
		text: i => cells()[i].outputArea.node.innerText,
		source: i => cells()[i].model.sharedModel.getSource(),
		set: (i, text) => { cells()[i].model.sharedModel.setSource(text); return true; },
		async run(i) {
			select(i);
			await jupyterapp.commands.execute('notebook:run-cell');
			await frames(2);
			return true;
		},
		start(i) { select(i); jupyterapp.commands.execute('notebook:run-cell'); return true; },
		async runAll() {
			const went = await jupyterapp.commands.execute('notebook:run-all-cells');
			await frames(3);
			return went !== false;
		},
		startAll() { jupyterapp.commands.execute('notebook:run-all-cells'); return true; },
		count: i => cells()[i].model.executionCount ?? 0,
		state: i => cells()[i].model.executionState,
		idle: () => cells().every(c => c.model.executionState === 'idle'),
		kernel: () => panel().sessionContext.session.kernel.status,
		// The middle of the first visible element.
		place(selector) {
			const e = [...document.querySelectorAll(selector)].find(visible);
			if (!e) return [];
			const r = e.getBoundingClientRect();
			return [r.x + r.width / 2, r.y + r.height / 2];
		},
		async edit(i, text) {
			await reveal(i);
			const cell = cells()[i];
			cell.model.sharedModel.setSource(text);
			panel().content.mode = 'edit';
			cell.editor.focus();
			cell.editor.setCursorPosition(cell.editor.getPositionAt(text.length));
			await frames(2);
			return true;
		},
		async answers() {
			const begin = performance.now();
			await frames(2);
			return performance.now() - begin;
		},
		visible: selector => [...document.querySelectorAll(selector)].some(visible),
		completions: () => [...document.querySelectorAll('.jp-Completer')].filter(visible).flatMap(c =>
			[...c.querySelectorAll('.jp-Completer-item .jp-Completer-match')].map(e => e.innerText)),
		shownPictures: i => [...cells()[i].outputArea.node.querySelectorAll('img')].filter(e => e.complete && e.naturalWidth > 0).length,
		// Looks at a cell's output at every frame until watched is called.
		watch(i) {
			const w = window.watching = { Most: 0, Least: -1, Texts: [], Pictures: 0, Blank: false, pictures: new Set(), on: true };
			const old = cells()[i].outputArea.node.innerText;
			let begun = false, height = 0;
			const look = () => {
				if (!w.on) return;
				const area = cells()[i].outputArea, n = area.model.length, text = area.node.innerText;
				begun ||= cells()[i].model.executionState === 'running' || text !== old;
				if (begun && n > 0) {
					w.Most = Math.max(w.Most, n);
					if (text !== w.Texts.at(-1)) w.Texts.push(text);
					for (const e of area.node.querySelectorAll('img')) w.pictures.add(e.src);
					w.Pictures = w.pictures.size;
					const h = area.node.getBoundingClientRect().height;
					if (height > 50 && h < height / 4) w.Blank = true; // It flickers.
					height = Math.max(height, h);
				}
				requestAnimationFrame(look);
			};
			look();
			return true;
		},
		watched() {
			const { pictures, on, ...w } = window.watching;
			window.watching.on = false;
			return w;
		},
		// The text below a cell that is hardest to read: its contrast with what is behind it.
		contrast(i) {
			const rgba = s => (s.match(/[\d.]+/g) ?? []).map(Number);
			const over = (top, below) => {
				const a = top[3] ?? 1;
				return [0, 1, 2].map(k => a * top[k] + (1 - a) * below[k]);
			};
			const behind = e => {
				const layers = [];
				for (; e; e = e.parentElement) {
					const c = rgba(getComputedStyle(e).backgroundColor);
					if (c.length < 3 || c[3] === 0) continue;
					layers.push(c);
					if ((c[3] ?? 1) === 1) break;
				}
				return layers.reduceRight((below, c) => over(c, below), [255, 255, 255]);
			};
			const light = c => {
				const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
				return .2126 * r + .7152 * g + .0722 * b;
			};
			let worst = { Ratio: 21, Text: '', Colour: '', Behind: '' };
			const walk = document.createTreeWalker(cells()[i].outputArea.node, NodeFilter.SHOW_TEXT);
			while (walk.nextNode()) {
				const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
				if (!text || !visible(e) || e.closest('.jp-OutputPrompt, .jp-OutputArea-promptOverlay')) continue;
				const back = behind(e), front = over(rgba(getComputedStyle(e).color), back);
				const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
				const ratio = (a + .05) / (b + .05);
				if (ratio < worst.Ratio) worst = { Ratio: ratio, Text: text, Colour: front.map(Math.round).join(), Behind: back.map(Math.round).join() };
			}
			return worst;
		},
		// The widths of the pictures of each row of a cell's figures, and whether the output scrolls.
		columns(i) {
			const rows = [...cells()[i].outputArea.node.querySelectorAll('tbody tr')].map(tr =>
				[...tr.children].filter(td => td.querySelector('img')).map(td => Math.round(td.getBoundingClientRect().width)));
			const wide = [...cells()[i].outputArea.node.querySelectorAll('.jp-OutputArea-output')].filter(e => e.querySelector('img'));
			return {
				Rows: rows.filter(r => r.length > 1),
				Cut: wide.some(e => e.scrollWidth > e.clientWidth + 1 && !['auto', 'scroll'].includes(getComputedStyle(e).overflowX)),
				Scrolls: wide.some(e => e.scrollWidth > e.clientWidth + 1),
			};
		},
		box(i) {
			const r = cells()[i].outputArea.node.getBoundingClientRect();
			return [r.x, r.y, r.width, r.height];
		},
		async save() { await panel().context.save(); return true; },
		trusted: () => cells().every(c => c.model.trusted),
		theme: () => document.body.dataset.jpThemeName,
		async console() {
			window.before = panel();
			const kernel = panel().sessionContext.session.kernel;
			window.theConsole = await jupyterapp.commands.execute('console:create', { kernelPreference: { name: kernel.name }, path: '', activate: true });
			await theConsole.sessionContext.ready;
			await theConsole.sessionContext.session.kernel.info;
			await frames(3);
			return true;
		},
		prompt: () => theConsole.console.promptCell.model.sharedModel.getSource(),
		replace: text => { theConsole.console.promptCell.model.sharedModel.setSource(text); return true; },
		async enter() { await jupyterapp.commands.execute('console:run-unforced'); return true; },
		async back() {
			await theConsole.sessionContext.shutdown();
			theConsole.dispose();
			jupyterapp.shell.activateById(window.before.id);
			return true;
		},
		async restart() {
			const before = panel().sessionContext.session.kernel.id;
			await panel().sessionContext.restartKernel();
			await panel().sessionContext.session.kernel.info;
			return panel().sessionContext.session.kernel.id === before;
		},
		// The pictures of an output, after each is decoded.
		async pictures(i) {
			const node = cells()[i].outputArea.node, edge = node.getBoundingClientRect();
			const canvas = new OffscreenCanvas(32, 32), c = canvas.getContext('2d', { willReadFrequently: true });
			const all = [];
			for (const e of node.querySelectorAll('img')) {
				await e.decode().catch(() => {});
				let shades = 0;
				if (e.naturalWidth > 0) {
					c.clearRect(0, 0, 32, 32);
					c.drawImage(e, 0, 0, 32, 32);
					shades = new Set(new Uint32Array(c.getImageData(0, 0, 32, 32).data.buffer)).size;
				}
				const r = e.getBoundingClientRect();
				all.push({
					Complete: e.complete, Data: e.src.startsWith('data:'), Natural: [e.naturalWidth, e.naturalHeight],
					Shown: [Math.round(r.width), Math.round(r.height)], Shades: shades, Inside: r.left >= edge.left - 1 && r.right <= edge.right + 1,
				});
			}
			return all;
		},
		reveal: async i => { await reveal(i); await frames(2); return true; },
	};
	return true;
})()
