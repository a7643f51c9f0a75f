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
